import Synchronization

/// One caller's read. Its continuation is resumed exactly once, by whoever moves the state to `done`; a result that comes later is dropped.
final class ReadRequest: Sendable {
    typealias Continuation = UnsafeContinuation<ResultBox, any Error>

    private enum State {
        case created
        case waiting(Continuation)
        case done
    }

    let query: Query
    let enqueued: Monotonic
    private let state = Mutex(State.created)
    /// How often a connection has broken under it: a read may be repeated, but one that breaks connections must not go on.
    private let losses = Atomic<Int>(0)

    init(_ query: Query) {
        self.query = query
        self.enqueued = .now
    }

    /// - Returns: false when it was cancelled before.
    func wait(_ continuation: Continuation) -> Bool {
        self.state.withLock { state in
            guard case .created = state else { return false }
            state = .waiting(continuation)
            return true
        }
    }

    /// The caller has its answer, or has gone.
    var isDone: Bool {
        self.state.withLock { if case .done = $0 { true } else { false } }
    }

    func finish(_ result: Result<ResultBox, DatabaseError>) {
        let continuation: Continuation? = self.state.withLock { state in
            defer { state = .done }
            guard case .waiting(let continuation) = state else { return nil }
            return continuation
        }
        switch result {
        case .success(let box): continuation?.resume(returning: box)
        case .failure(let error): continuation?.resume(throwing: error)
        }
    }

    func cancel() { self.finish(.failure(.cancelled)) }

    /// - Returns: how often that has happened now.
    func countLoss() -> Int { self.losses.add(1, ordering: .relaxed).newValue }
}
