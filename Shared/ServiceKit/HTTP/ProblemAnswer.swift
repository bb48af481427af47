import HTTPTypes
import Hummingbird
package import Models
import NIOCore

extension Problem {
    package static let mediaType = "application/problem+json"
    /// Faults that an answer names; their number stands in `detail`. A body made of faults is not answered with a larger one.
    private static let longestErrors = 100

    /// RFC 9457 members; `violated-policies` as draft-ietf-httpapi-ratelimit-headers names them.
    package func json(requestID: String) -> JSONValue {
        var members: [String: JSONValue] = [
            "type": .string("/problems/\(self.kind.rawValue)"),
            "title": .string(self.kind.title),
            "status": .integer(Int64(self.kind.status)),
            "detail": .string(self.detail),
            "request_id": .string(requestID),
        ]
        if !self.errors.isEmpty {
            members["errors"] = .array(
                self.errors.prefix(Self.longestErrors).map { ["pointer": .string($0.pointer), "detail": .string($0.detail)] }
            )
        }
        if !self.violatedPolicies.isEmpty {
            members["violated-policies"] = .array(self.violatedPolicies.map { .string($0) })
        }
        return .object(members)
    }

    func response(requestID: String) -> Response {
        Response(
            status: HTTPResponse.Status(code: self.kind.status),
            headers: self.headers,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: self.json(requestID: requestID).serialized()))
        )
    }

    var headers: HTTPFields {
        var headers: HTTPFields = [.contentType: Self.mediaType]
        if let retryAfter { headers[.retryAfter] = String(retryAfter) }
        // RFC 9110 section 15.5.2: on every 401.
        if self.kind.status == 401 { headers[.wwwAuthenticate] = #"Bearer realm="switchboard""# }
        return headers
    }

    /// Reads a problem that another process answered; nil where the body is none.
    package init?(parsing bytes: [UInt8]) {
        guard let value = try? JSONValue(parsing: bytes), let type = value["type"]?.stringValue,
            let kind = type.split(separator: "/").last.flatMap({ Kind(rawValue: String($0)) })
        else { return nil }
        let errors = (value["errors"]?.arrayValue ?? []).compactMap { fault -> Fault? in
            guard let pointer = fault["pointer"]?.stringValue, let detail = fault["detail"]?.stringValue else { return nil }
            return Fault(pointer: pointer, detail: detail)
        }
        self.init(kind, value["detail"]?.stringValue ?? kind.title, errors: errors)
        self.violatedPolicies = (value["violated-policies"]?.arrayValue ?? []).compactMap(\.stringValue)
    }
}
