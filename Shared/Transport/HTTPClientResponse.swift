package import HTTPTypes

package struct HTTPClientResponse: Sendable {
    package var head: HTTPResponse
    package var body: ResponseBodyStream
    /// Address and port of the peer.
    package var peer: String?

    /// The whole body.
    /// - Throws: as ``ResponseBodyStream/collect(upTo:)``.
    package func collect(upTo limit: Int) async throws -> [UInt8] { try await self.body.collect(upTo: limit) }
}

/// The body as it arrives. One consumer; letting go of it aborts the transfer.
package struct ResponseBodyStream: AsyncSequence, Sendable {
    package typealias Element = [UInt8]

    let lease: BodyLease

    package struct AsyncIterator: AsyncIteratorProtocol {
        let lease: BodyLease

        /// - Throws: ``TransportError``, `CancellationError`; after either the transfer is over.
        package mutating func next() async throws -> [UInt8]? {
            try await self.lease.next()
        }
    }

    package func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(lease: self.lease)
    }

    /// The whole body.
    /// - Throws: ``TransportError`` (`tooLarge` beyond `limit`, and whatever ended the transfer), `CancellationError`.
    package func collect(upTo limit: Int) async throws -> [UInt8] {
        var collected: [UInt8] = []
        var chunks = self.makeAsyncIterator()
        while let chunk = try await chunks.next() {
            guard collected.count + chunk.count <= limit else {
                throw TransportError(kind: .tooLarge, surelyNotSent: false, detail: "the body is larger than \(limit) bytes")
            }
            if collected.isEmpty { collected = chunk } else { collected += chunk }
        }
        return collected
    }
}

/// Held by the stream and its iterators alone: when the last of them goes, nobody will read on, and the transfer is aborted.
final class BodyLease: Sendable {
    private let transfer: HTTPTransfer
    private let loop: CurlLoop<HTTPDriver>

    init(transfer: HTTPTransfer, loop: CurlLoop<HTTPDriver>) {
        self.transfer = transfer
        self.loop = loop
    }

    var received: ReceivedBody { self.transfer.received }

    deinit {
        if !self.transfer.received.isComplete { _ = self.loop.submit(.abort(self.transfer, .letGo)) }
    }

    func next() async throws -> [UInt8]? {
        if let taken = try self.take() { return taken.chunk }
        try Task.checkCancellation()
        let step = try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { self.transfer.received.wait($0) }
        } onCancel: {
            self.transfer.received.fail(CancellationError())
            _ = self.loop.submit(.abort(self.transfer, .cancelled))
        }
        return self.passOn(step)
    }

    /// nil when it must be waited for.
    private func take() throws -> ReceivedBody.Step? {
        guard let step = try self.transfer.received.take() else { return nil }
        _ = self.passOn(step)
        return step
    }

    private func passOn(_ step: ReceivedBody.Step) -> [UInt8]? {
        if step.mayResume { _ = self.loop.submit(.resumeReceiving(self.transfer)) }
        return step.chunk
    }
}
