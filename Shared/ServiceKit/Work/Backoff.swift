/// Growing waits between tries, with full jitter over the upper half so that replicas do not march in step.
package struct Backoff: Sendable {
    package var base: Duration
    package var limit: Duration

    package init(base: Duration = .milliseconds(100), limit: Duration = .seconds(30)) {
        self.base = base
        self.limit = limit
    }

    /// The wait after this many failures in a row, counted from one.
    package func delay(afterFailures failures: Int) -> Duration {
        guard failures > 0 else { return .zero }
        let grown = self.base * (1 << min(failures - 1, 20))
        return Self.jittered(min(grown, self.limit))
    }

    /// Between half of the duration and all of it.
    package static func jittered(_ duration: Duration) -> Duration {
        duration * Double.random(in: 0.5...1)
    }
}
