import Synchronization

/// The bounded buffer between a body's source, an async closure, and libcurl, which reads on the loop's thread.
final class RequestUpload: Sendable {
    enum Piece {
        case bytes(Int)
        /// Nothing there yet: the transfer waits for the source.
        case nothing
        case end
        case failed
    }

    /// The source is not asked again while more than this waits to be sent.
    private static let lowWater = 64 << 10

    fileprivate struct State {
        var chunks = FIFO<[UInt8]>()
        var current: [UInt8] = []
        var offset = 0
        var waiting = 0
        var isWanted = false
        var isReaderWaiting = false
        var isFinished = false
        var failure: (any Error)?
        /// The transfer is over: the source is no longer asked.
        var isClosed = false
        var source: UnsafeContinuation<Void, Never>?
        var pump: Task<Void, Never>?
    }

    private let state = Mutex(State())
    let length: Int64?
    private let next: @Sendable () async throws -> [UInt8]?

    init(length: Int64?, next: @escaping @Sendable () async throws -> [UInt8]?) {
        self.length = length
        self.next = next
    }

    /// Why the source failed.
    var failure: (any Error)? { self.state.withLock { $0.failure } }

    /// - wake: called when libcurl waits and there is something to read again.
    func start(wake: @escaping @Sendable () -> Void) {
        // An unstructured task, because the upload may go on after `send` has answered (the peer may answer first); `close` ends it with
        // the transfer, which in turn ends with the caller's cancellation or with the response's release. It keeps the task-locals.
        let pump = Task { await self.run(wake: wake) }
        let isClosed = self.state.withLock { state in
            state.pump = pump
            return state.isClosed
        }
        if isClosed { pump.cancel() }
    }

    private func run(wake: @Sendable () -> Void) async {
        var left = self.length
        do {
            while await self.hasRoom() {
                guard let chunk = try await self.next() else {
                    guard left ?? 0 == 0 else { throw TransportError.invalidRequest("the body is shorter than was said") }
                    break
                }
                if let before = left {
                    guard before >= chunk.count else { throw TransportError.invalidRequest("the body is longer than was said") }
                    left = before - Int64(chunk.count)
                }
                if !chunk.isEmpty, self.offer(chunk) { wake() }
            }
            if self.finish(nil) { wake() }
        } catch {
            if self.finish(error) { wake() }
        }
    }

    /// Waits until the transfer wants more; false when it is over.
    private func hasRoom() async -> Bool {
        await withUnsafeContinuation { continuation in
            let mustWait = self.state.withLock { state in
                guard !state.isClosed, !state.isWanted || state.waiting > Self.lowWater else { return false }
                state.source = continuation
                return true
            }
            if !mustWait { continuation.resume() }
        }
        return self.state.withLock { !$0.isClosed }
    }

    /// True when the reader waits for it.
    private func offer(_ chunk: [UInt8]) -> Bool {
        self.state.withLock { state in
            state.chunks.append(chunk)
            state.waiting += chunk.count
            defer { state.isReaderWaiting = false }
            return state.isReaderWaiting
        }
    }

    private func finish(_ failure: (any Error)?) -> Bool {
        self.state.withLock { state in
            state.isFinished = true
            state.failure = failure
            defer { state.isReaderWaiting = false }
            return state.isReaderWaiting
        }
    }

    // MARK: The loop's side

    func read(into buffer: UnsafeMutableRawBufferPointer) -> Piece {
        let room = buffer.count
        let (taken, source) = self.state.withLock { state -> (State.Taken, UnsafeContinuation<Void, Never>?) in
            state.isWanted = true
            let taken = state.take(atMost: room)
            guard state.waiting <= Self.lowWater else { return (taken, nil) }
            defer { state.source = nil }
            return (taken, state.source)
        }
        source?.resume()
        switch taken {
        case .nothing: return .nothing
        case .end: return .end
        case .failed: return .failed
        case .bytes(let chunk, let range):
            chunk.withUnsafeBytes { buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[range])) }
            return .bytes(range.count)
        }
    }

    /// The transfer is over, however it ended.
    func close() {
        let (source, pump) = self.state.withLock { state in
            state.isClosed = true
            defer {
                state.source = nil
                state.pump = nil
            }
            return (state.source, state.pump)
        }
        source?.resume()
        pump?.cancel()
    }
}

extension RequestUpload.State {
    fileprivate enum Taken {
        case bytes([UInt8], Range<Int>)
        case nothing, end, failed
    }

    fileprivate mutating func take(atMost room: Int) -> Taken {
        if self.offset == self.current.count {
            guard let chunk = self.chunks.popFirst() else {
                if self.failure != nil { return .failed }
                if self.isFinished { return .end }
                self.isReaderWaiting = true
                return .nothing
            }
            self.current = chunk
            self.offset = 0
        }
        let range = self.offset..<min(self.offset + room, self.current.count)
        self.offset = range.upperBound
        self.waiting -= range.count
        return .bytes(self.current, range)
    }
}
