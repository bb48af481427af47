package import Logging

package enum TestLog {
    /// Errors only: the output of a test run is for its failures.
    package static var quiet: Logger {
        var logger = Logger(label: "test")
        logger.logLevel = .error
        return logger
    }
}
