import HTTPTypes
import Hummingbird
import Models
import NIOCore
import ServiceKit
import Transport

/// How a request's body goes on to the owning service.
enum ForwardedBody {
    /// Bodies up to ``RequestLimits/body`` are read first, so that a slow sender holds no connection to the inside and the signed identity binds
    /// their digest; and all under an Idempotency-Key, which is bound to their fingerprint. Longer ones stream.
    /// - maximum: larger bodies are refused, at once where the length is announced, else when it is exceeded.
    static func make(_ request: Request, _ context: BaseContext, maximum: Int) async throws -> HTTPClientRequest.Body {
        let isChunked = request.headers[.transferEncoding] != nil
        let length = try self.length(request.headers)
        if let length, length > maximum { throw self.tooLarge(maximum) }
        if !isChunked, length ?? 0 == 0 { return .none }
        try request.checkBodyHasMeaning()
        let isSmall = length.map { $0 <= RequestLimits.body } ?? false
        if isSmall || request.headers[.idempotencyKey] != nil {
            return .bytes(Array(try await request.collect(upTo: min(RequestLimits.body, maximum)).readableBytesView))
        }
        let source = RequestBodySource(request.body, maximum: maximum, context)
        if length == nil, let whole = try await source.readAhead(upTo: RequestLimits.body) { return .bytes(whole) }
        return .stream(length: length.map(Int64.init)) { try await source.next() }
    }

    private static func length(_ fields: HTTPFields) throws(Problem) -> Int? {
        let values = fields[values: .contentLength]
        guard let value = values.first else { return nil }
        guard values.count == 1, let length = Int(value), length >= 0 else { throw Problem(.badRequest, "Content-Length is not a length.") }
        return length
    }

    static func tooLarge(_ limit: Int) -> Problem { Problem(.payloadTooLarge, "The body may have at most \(limit) bytes.") }
}

/// Hands a request's body on chunk by chunk, as fast as the owning service takes it.
private actor RequestBodySource {
    private var iterator: RequestBody.AsyncIterator
    private var count = 0
    private let maximum: Int
    private let context: BaseContext
    /// Read ahead, and not yet handed on.
    private var ahead: [UInt8] = []

    init(_ body: RequestBody, maximum: Int, _ context: BaseContext) {
        self.iterator = body.makeAsyncIterator()
        self.maximum = maximum
        self.context = context
    }

    /// The whole body where it ends within so many bytes; else nil, and what was read comes first from ``next()``.
    func readAhead(upTo limit: Int) async throws -> [UInt8]? {
        while self.ahead.count <= limit {
            guard let chunk = try await self.receive() else { return self.ahead }
            self.ahead += chunk
        }
        return nil
    }

    func next() async throws -> [UInt8]? {
        guard self.ahead.isEmpty else {
            defer { self.ahead = [] }
            return self.ahead
        }
        return try await self.receive()
    }

    private func receive() async throws -> [UInt8]? {
        var iterator = self.iterator
        let chunk: ByteBuffer?
        do {
            chunk = try await iterator.next(isolation: self)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw Problem(.badRequest, "The body did not arrive whole.")
        }
        self.iterator = iterator
        guard let chunk else {
            guard self.context.isConnected else { throw Problem(.badRequest, "The body did not arrive whole.") }
            return nil
        }
        self.count += chunk.readableBytes
        guard self.count <= self.maximum else { throw ForwardedBody.tooLarge(self.maximum) }
        return Array(chunk.readableBytesView)
    }
}
