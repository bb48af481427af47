import HTTPTypes
import Hummingbird
import Models
import NIOCore
import ServiceKit
import Transport

/// How a request's body goes on to the owning service.
enum ForwardedBody {
    /// Bodies up to ``RequestLimits/body`` with a known length are read first, so that the signed identity binds their digest; and all under
    /// an Idempotency-Key, which is bound to their fingerprint.
    /// - maximum: larger bodies are refused, at once where the length is announced, else when it is exceeded.
    static func make(_ request: Request, _ context: BaseContext, maximum: Int) async throws -> HTTPClientRequest.Body {
        let isChunked = request.headers[.transferEncoding] != nil
        let length = try self.length(request.headers)
        if let length, length > maximum { throw self.tooLarge(maximum) }
        if !isChunked, length ?? 0 == 0 { return .none }
        let isSmall = length.map { $0 <= RequestLimits.body } ?? false
        if isSmall || request.headers[.idempotencyKey] != nil {
            return .bytes(Array(try await request.collect(upTo: min(RequestLimits.body, maximum)).readableBytesView))
        }
        let source = RequestBodySource(request.body, maximum: maximum, context)
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

    init(_ body: RequestBody, maximum: Int, _ context: BaseContext) {
        self.iterator = body.makeAsyncIterator()
        self.maximum = maximum
        self.context = context
    }

    func next() async throws -> [UInt8]? {
        var iterator = self.iterator
        let chunk = try await iterator.next(isolation: self)
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
