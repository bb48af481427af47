import Synchronization

/// The bounded buffer between the loop, which fills it, and the consumer, which empties it.
final class ReceivedBody: Sendable {
    struct Step {
        /// nil at the end of the body.
        var chunk: [UInt8]?
        /// The transfer stands still for want of room, and there is room now.
        var mayResume = false
    }

    /// Bytes held before the transfer is made to wait; with the kernel's own buffers that keeps a fast link busy.
    static let capacity = 256 << 10

    private struct State {
        var chunks = FIFO<[UInt8]>()
        var bytes = 0
        var isPaused = false
        /// Success or failure once nothing more will come.
        var end: Result<Void, any Error>?
        var waiter: UnsafeContinuation<Step, any Error>?
    }

    private let state = Mutex(State())

    var isComplete: Bool { self.state.withLock { $0.end != nil } }
    /// Bytes that wait for the consumer.
    var buffered: Int { self.state.withLock { $0.bytes } }

    // MARK: The loop's side

    /// False when there is no room: nothing was taken and the transfer must wait for the consumer.
    func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let (taken, waiter) = self.state.withLock { state -> (Bool, UnsafeContinuation<Step, any Error>?) in
            guard state.bytes < Self.capacity else {
                state.isPaused = true
                return (false, nil)
            }
            if let waiter = state.waiter {
                state.waiter = nil
                return (true, waiter)
            }
            state.chunks.append([UInt8](bytes))
            state.bytes += bytes.count
            return (true, nil)
        }
        waiter?.resume(returning: Step(chunk: [UInt8](bytes)))
        return taken
    }

    func finish() { self.end(.success(())) }

    /// What was received before is still handed out, unless the consumer itself gave up.
    func fail(_ error: any Error) { self.end(.failure(error)) }

    private func end(_ result: Result<Void, any Error>) {
        let waiter = self.state.withLock { state -> UnsafeContinuation<Step, any Error>? in
            guard state.end == nil else { return nil }
            state.end = result
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume(with: result.map { Step() })
    }

    // MARK: The consumer's side

    /// nil when nothing is there yet.
    func take() throws -> Step? {
        try self.state.withLock { state in try Self.take(&state) }
    }

    func wait(_ continuation: UnsafeContinuation<Step, any Error>) {
        let step: Result<Step, any Error>? = self.state.withLock { state in
            do {
                if let step = try Self.take(&state) { return .success(step) }
            } catch {
                return .failure(error)
            }
            guard state.waiter == nil else {
                return .failure(TransportError.invalidRequest("a response body has one consumer"))
            }
            state.waiter = continuation
            return nil
        }
        if let step { continuation.resume(with: step) }
    }

    private static func take(_ state: inout State) throws -> Step? {
        if let chunk = state.chunks.popFirst() {
            state.bytes -= chunk.count
            let mayResume = state.isPaused && state.bytes <= Self.capacity / 2
            if mayResume { state.isPaused = false }
            return Step(chunk: chunk, mayResume: mayResume)
        }
        return try state.end.map { end in
            try end.get()
            return Step()
        }
    }
}
