import Logging
import TestSupport

extension TestLog {
    /// For tests whose subject logs errors on purpose.
    static var silent: Logger { Logger(label: "silent", factory: { _ in SwiftLogNoOpLogHandler() }) }
}
