import HTTPTypes
import Hummingbird
import Models
import NIOCore
import Transport

/// How a request's body goes on to the owning service.
enum ForwardedBody {
    /// Bodies up to this size with a known length are read first, so that the signed identity binds their digest.
    static let bufferedLimit = 1 << 20

    /// - maximum: larger bodies are refused, at once where the length is announced, else when it is exceeded.
    static func make(_ request: Request, maximum: Int) async throws -> HTTPClientRequest.Body {
        let isChunked = request.headers[.transferEncoding] != nil
        let length = try self.length(request.headers)
        if let length, length > maximum { throw self.tooLarge(maximum) }
        if !isChunked, length ?? 0 == 0 { return .none }
        let hasKey = request.headers[.idempotencyKey] != nil
        if hasKey || length.map({ $0 <= self.bufferedLimit }) ?? false {
            return .bytes(try await self.collect(request.body, upTo: min(self.bufferedLimit, maximum)))
        }
        let source = RequestBodySource(request.body, maximum: maximum)
        return .stream(length: length.map(Int64.init)) { try await source.next() }
    }

    private static func length(_ fields: HTTPFields) throws(Problem) -> Int? {
        let values = fields[values: .contentLength]
        guard let value = values.first else { return nil }
        guard values.count == 1, let length = Int(value), length >= 0 else { throw Problem(.badRequest, "Content-Length is not a length.") }
        return length
    }

    /// A body with an Idempotency-Key must fit as well: the key is bound to its fingerprint.
    private static func collect(_ body: RequestBody, upTo limit: Int) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        for try await chunk in body {
            guard bytes.count + chunk.readableBytes <= limit else { throw self.tooLarge(limit) }
            bytes.append(contentsOf: chunk.readableBytesView)
        }
        return bytes
    }

    static func tooLarge(_ limit: Int) -> Problem { Problem(.payloadTooLarge, "The body may have \(limit) bytes here.") }
}

/// Hands a request's body on chunk by chunk, as fast as the owning service takes it.
private actor RequestBodySource {
    private var iterator: RequestBody.AsyncIterator
    private var count = 0
    private let maximum: Int

    init(_ body: RequestBody, maximum: Int) {
        self.iterator = body.makeAsyncIterator()
        self.maximum = maximum
    }

    func next() async throws -> [UInt8]? {
        var iterator = self.iterator
        let chunk = try await iterator.next(isolation: self)
        self.iterator = iterator
        guard let chunk else { return nil }
        self.count += chunk.readableBytes
        guard self.count <= self.maximum else { throw ForwardedBody.tooLarge(self.maximum) }
        return Array(chunk.readableBytesView)
    }
}
