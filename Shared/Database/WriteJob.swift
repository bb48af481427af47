import Synchronization

/// One caller's turn on a write connection. Its continuation is resumed exactly once, by whoever moves the state to `done`.
final class WriteJob: Sendable {
    enum Work: Sendable {
        case statement(Query)
        /// Runs on the connection's thread and keeps its own result.
        case body(@Sendable (Session, WriteJob) throws -> Void)
    }

    typealias Continuation = UnsafeContinuation<ResultBox?, any Error>

    private enum State {
        case created
        case cancelledEarly
        case queued(Continuation?)
        case running(Continuation?, Waker)
        case cancelling(Continuation?)
        case done
    }

    let work: Work
    /// Nothing is begun after this.
    let deadline: Monotonic
    private let state = Mutex(State.created)

    init(_ work: Work, waitLimit: Duration) {
        self.work = work
        self.deadline = .now + waitLimit
    }

    var query: Query? {
        guard case .statement(let query) = self.work else { return nil }
        return query
    }

    /// - Returns: false when it was cancelled before.
    func enqueue(_ continuation: Continuation?) -> Bool {
        self.state.withLock { state in
            guard case .created = state else { return false }
            state = .queued(continuation)
            return true
        }
    }

    /// - Returns: false when it was cancelled or failed while it waited.
    func begin(_ waker: Waker) -> Bool {
        self.state.withLock { state in
            guard case .queued(let continuation) = state else { return false }
            state = .running(continuation, waker)
            return true
        }
    }

    var isCancelling: Bool {
        self.state.withLock { if case .cancelling = $0 { true } else { false } }
    }

    func finish(_ result: Result<ResultBox?, any Error>) {
        let continuation: Continuation? = self.state.withLock { state in
            defer { state = .done }
            switch state {
            case .queued(let continuation), .running(let continuation, _), .cancelling(let continuation): return continuation
            case .created, .cancelledEarly, .done: return nil
            }
        }
        continuation?.resume(with: result)
    }

    /// The caller is gone: a waiting job never begins; a running one is cancelled on the server, and its caller hears what became of it.
    func cancel() {
        let (continuation, waker): (Continuation?, Waker?) = self.state.withLock { state in
            switch state {
            case .created:
                state = .cancelledEarly
                return (nil, nil)
            case .queued(let continuation):
                state = .done
                return (continuation, nil)
            case .running(let continuation, let waker):
                state = .cancelling(continuation)
                return (nil, waker)
            case .cancelledEarly, .cancelling, .done: return (nil, nil)
            }
        }
        waker?.wake()
        continuation?.resume(throwing: DatabaseError.cancelled)
    }
}
