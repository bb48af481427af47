import Synchronization

/// NOTIFY, at most once per channel and window: the first of a burst goes at once, the rest become one at the window's end.
final class Notifier: Sendable {
    static let window: Duration = .milliseconds(20)
    /// Windows that have ended are cleared away beyond this number.
    private static let mostWindows = 1024

    private struct State {
        /// When each channel's window ends, and whether another notification is due then.
        var windows: [String: (end: Monotonic, isDue: Bool)] = [:]
    }

    private let state = Mutex(State())
    private let lane: WriteLane
    /// Wakes the thread that keeps the time of ``flush(_:)``.
    private let timekeeper: Waker

    init(lane: WriteLane, timekeeper: Waker) {
        self.lane = lane
        self.timekeeper = timekeeper
    }

    func notify(_ channel: String) {
        let now = Monotonic.now
        let (isFirst, isNew) = self.state.withLock { state -> (Bool, Bool) in
            if let window = state.windows[channel], window.end > now {
                state.windows[channel] = (window.end, true)
                return (false, !window.isDue)
            }
            if state.windows.count >= Self.mostWindows { state.windows = state.windows.filter { $0.value.end > now || $0.value.isDue } }
            state.windows[channel] = (now + Self.window, false)
            return (true, false)
        }
        if isFirst { self.send(channel) } else if isNew { self.timekeeper.wake() }
    }

    /// Sends what is due.
    /// - Returns: when to look again.
    func flush(_ now: Monotonic) -> Monotonic? {
        let (due, next) = self.state.withLock { state -> ([String], Monotonic?) in
            let due = state.windows.filter { $0.value.isDue && $0.value.end <= now }.map(\.key)
            state.windows = state.windows.filter { $0.value.end > now }
            for channel in due { state.windows[channel] = (now + Self.window, false) }
            return (due, state.windows.values.filter(\.isDue).map(\.end).min())
        }
        for channel in due { self.send(channel) }
        return next
    }

    private func send(_ channel: String) {
        self.lane.post(WriteJob(.statement("SELECT pg_notify(\(channel), '')"), waitLimit: self.lane.configuration.waitLimit))
    }
}
