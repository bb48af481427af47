import Synchronization

/// A number of requests in a fixed window, as providers count them.
final class WindowLimit: Sendable {
    struct Reading: Sendable {
        var isAllowed: Bool
        var limit: Int
        var remaining: Int
        /// Until the window ends.
        var reset: Duration
    }

    private struct State {
        var limit: Int
        var interval: Duration
        var isEnforced: Bool
        var windowStart: ContinuousClock.Instant
        var used = 0
    }

    private let state: Mutex<State>
    private let shown: (limit: Int, interval: Duration)

    /// - shown: what the headers tell while no limit is enforced.
    init(shown limit: Int, interval: Duration) {
        self.shown = (limit, interval)
        self.state = Mutex(State(limit: limit, interval: interval, isEnforced: false, windowStart: .now))
    }

    /// - limit: 0 enforces none.
    func set(limit: Int, interval: Duration) {
        self.state.withLock { state in
            state =
                limit == 0
                ? State(limit: self.shown.limit, interval: self.shown.interval, isEnforced: false, windowStart: .now)
                : State(limit: limit, interval: interval, isEnforced: true, windowStart: .now)
        }
    }

    func take() -> Reading {
        let now = ContinuousClock.now
        return self.state.withLock { state in
            if now - state.windowStart >= state.interval {
                state.windowStart = now
                state.used = 0
            }
            let isAllowed = !state.isEnforced || state.used < state.limit
            if isAllowed { state.used += 1 }
            return Reading(
                isAllowed: isAllowed,
                limit: state.limit,
                remaining: max(0, state.limit - state.used),
                reset: state.interval - (now - state.windowStart)
            )
        }
    }
}
