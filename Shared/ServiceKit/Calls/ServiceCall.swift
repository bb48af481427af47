import Synchronization
import Transport

/// A call under way that nobody waits for in a task.
package final class ServiceCall: Sendable {
    private enum State {
        case idle
        case running(@Sendable () -> Void)
        case cancelled
    }

    private let state = Mutex(State.idle)

    init() {}

    /// The first try. What follows it may have begun before this is told: it counts then.
    func runs(_ call: HTTPCall) {
        let isCancelled = self.state.withLock { state in
            switch state {
            case .idle: state = .running { call.cancel() }
            case .running: break
            case .cancelled: return true
            }
            return false
        }
        if isCancelled { call.cancel() }
    }

    /// What follows a try that reached nobody.
    func runs(_ task: Task<Void, Never>) {
        let isCancelled = self.state.withLock { state in
            if case .cancelled = state { return true }
            state = .running { task.cancel() }
            return false
        }
        if isCancelled { task.cancel() }
    }

    /// Nobody wants the answer any more: what is under way is aborted. Idempotent.
    package func cancel() {
        let cancel = self.state.withLock { state -> (@Sendable () -> Void)? in
            defer { state = .cancelled }
            if case .running(let cancel) = state { return cancel }
            return nil
        }
        cancel?()
    }
}
