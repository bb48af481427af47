import Metrics
import Synchronization

/// Timers of one name that differ in their labels' values, kept by what tells them apart: to find one does not mean to write its labels.
final class TimerFamily<Key: Hashable & Sendable>: Sendable {
    private let timers = Mutex<[Key: Metrics.Timer]>([:])
    private let label: String
    private let dimensions: @Sendable (Key) -> [(String, String)]

    /// - dimensions: labels of a key's timer; few, as in ``MetricsRegistry``.
    init(_ label: String, dimensions: @escaping @Sendable (Key) -> [(String, String)]) {
        self.label = label
        self.dimensions = dimensions
    }

    func record(_ duration: Duration, _ key: Key) {
        let timer = self.timers.withLock { timers in
            if let known = timers[key] { return known }
            let made = Metrics.Timer(label: self.label, dimensions: self.dimensions(key))
            timers[key] = made
            return made
        }
        timer.record(duration: duration)
    }
}
