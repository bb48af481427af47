import Foundation
import HTTPTypes
package import Hummingbird
package import Models
package import NIOCore

package enum RequestLimits {
    /// Bytes of a public JSON body; also the most that an `Idempotency-Key` may cover.
    package static let body = 1 << 20
    /// Bytes of a body between processes.
    package static let internalBody = 16 << 20
}

/// A parsed JSON body and the bytes it came from (the idempotency fingerprint).
package struct JSONBody: Sendable {
    package let value: JSONValue
    package let bytes: [UInt8]

    package init(value: JSONValue, bytes: [UInt8]) {
        self.value = value
        self.bytes = bytes
    }
}

extension Request {
    /// The body as JSON; 415, 413 or 400 problems otherwise. Default limit 1 MiB.
    package func jsonBody(limit: Int = RequestLimits.body) async throws -> JSONBody {
        try self.requireJSON()
        let bytes = Array(try await self.collect(upTo: limit).readableBytesView)
        guard !bytes.isEmpty else { throw Problem(.badRequest, "The body is empty; a JSON object is expected.") }
        do {
            return JSONBody(value: try JSONValue(parsing: bytes), bytes: bytes)
        } catch {
            throw Problem(.badRequest, "The body is not JSON: \(error).")
        }
    }

    /// Decodes an internal contract's body with `JSONCoding`.
    package func decodeBody<Value: Decodable>(_ type: Value.Type, limit: Int = RequestLimits.internalBody) async throws -> Value {
        try self.requireJSON()
        return try JSONCoding.decode(type, from: try await self.collect(upTo: limit).readableBytesView)
    }

    /// The whole body in one buffer.
    /// - Throws: 413 and 400 problems.
    package func collect(upTo limit: Int) async throws -> ByteBuffer {
        let announced = self.headers[.contentLength].flatMap { Int($0) }
        if let announced, announced > limit { throw Self.tooLarge(limit) }
        let buffer: ByteBuffer
        do {
            buffer = try await self.body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw Self.tooLarge(limit)
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            throw Problem(.badRequest, "The body did not arrive whole.")
        }
        // A connection that closes early ends the stream as if it were complete.
        if let announced, announced != buffer.readableBytes { throw Problem(.badRequest, "The body did not arrive whole.") }
        return buffer
    }

    /// RFC 9110 sections 9.3.1, 9.3.2 and 9.3.5: content of GET, HEAD and DELETE has no meaning, and servers that read it were made to take it for a
    /// request.
    /// - Throws: 400 where there is some.
    package func checkBodyHasMeaning() throws(Problem) {
        guard [.get, .head, .delete].contains(self.method),
            self.headers[.transferEncoding] != nil || (self.headers[.contentLength] ?? "0") != "0"
        else { return }
        throw Problem(.badRequest, "A \(self.method.rawValue) request has no body here.")
    }

    private func requireJSON() throws {
        let given = self.headers[.contentType]?.lowercased() ?? ""
        let media = given.prefix { $0 != ";" }.trimmingCharacters(in: .whitespaces)
        guard media == "application/json" || (media.hasPrefix("application/") && media.hasSuffix("+json")) else {
            throw Problem(.unsupportedMediaType, "Send the body as application/json.")
        }
    }

    private static func tooLarge(_ limit: Int) -> Problem {
        Problem(.payloadTooLarge, "The body is larger than \(limit) bytes.")
    }
}

extension Response {
    package static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response {
        Self.json(bytes: try JSONCoding.encode(value), status: status)
    }

    package static func json(bytes: [UInt8], status: HTTPResponse.Status) -> Response {
        Response(status: status, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    package static var noContent: Response { Response(status: .noContent) }

    static func text(_ text: String, type: String = "text/plain; charset=utf-8", status: HTTPResponse.Status = .ok) -> Response {
        Response(status: status, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
