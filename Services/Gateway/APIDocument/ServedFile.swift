import Encryption
import HTTPTypes
import Hummingbird
import NIOCore
import ServiceKit

/// Bytes that are the same for everybody until the process is replaced.
struct ServedFile: Sendable {
    let type: String
    /// A strong validator (RFC 9110 section 8.8.3).
    let tag: String
    private let body: ByteBuffer

    init(_ bytes: [UInt8], type: String) throws {
        self.type = type
        self.tag = "\"\(Base64URL.encode(Array(try SHA256.digest(bytes).prefix(15))))\""
        self.body = ByteBuffer(bytes: bytes)
    }

    /// 304 where the client's copy is this one.
    /// - cacheControl: how long copies may be kept.
    func response(to request: Request, cacheControl: String) -> Response {
        var headers: HTTPFields = [.eTag: self.tag, .cacheControl: cacheControl]
        if Self.matches(request.headers[values: .ifNoneMatch], self.tag) { return Response(status: .notModified, headers: headers) }
        headers[.contentType] = self.type
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: self.body))
    }

    /// RFC 9110 section 13.1.2: `*`, or a list of tags that are compared weakly.
    private static func matches(_ fields: [String], _ tag: String) -> Bool {
        fields.flatMap { $0.split(separator: ",") }.contains { item in
            let text = item.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
            return text == "*" || text == tag || text == "W/" + tag
        }
    }
}
