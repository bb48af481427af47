package import Logging

package enum TestLog {
    /// Errors only: the output of a test run is for its failures.
    package static var quiet: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .error
        return logger
    }

    /// Everything, each line as message and metadata (`name=value`).
    package static func lines(_ take: @escaping @Sendable (String) -> Void) -> Logger {
        Logger(label: "test") { _ in LineHandler(take: take) }
    }
}

private struct LineHandler: LogHandler {
    let take: @Sendable (String) -> Void
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { self.metadata[key] }
        set { self.metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = self.metadata.merging(event.metadata ?? [:]) { $1 }
        self.take("\(event.message) " + fields.map { "\($0.key)=\($0.value)" }.sorted().joined(separator: " "))
    }
}
