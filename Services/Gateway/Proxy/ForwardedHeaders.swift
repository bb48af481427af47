import HTTPTypes
import NIOHTTP1
import ServiceKit

/// Which headers pass the gateway.
enum ForwardedHeaders {
    /// For one connection only (RFC 9110 section 7.6.1), with those that older peers send.
    private static let hopByHop: HeaderNames = [
        "connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authenticate", "proxy-authorization",
        "http2-settings",
    ]

    /// Credentials end here; identity, forwarding and request id are told by the gateway itself; host, trace and length are the new request's
    /// own, and 100-continue is a matter between client and gateway.
    private static let onlyForGateway: HeaderNames = [
        "authorization", "x-api-key", "cookie", "forwarded", "x-request-id", "traceparent", "host", "content-length", "expect", "x-real-ip",
    ]

    /// The gateway writes these itself on its answers.
    private static let onlyFromGateway: HeaderNames = [
        "x-request-id", "server", "x-content-type-options", "strict-transport-security", "referrer-policy", "x-frame-options",
        "ratelimit", "ratelimit-policy", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "set-cookie",
    ]

    /// RFC 9110 section 7.6.3: a gateway tells that the message passed it.
    private static let via = "1.1 switchboard"

    // MARK: - As the pipeline has them

    /// What an owning service gets to see of a request.
    static func request(_ fields: HTTPFields) -> HTTPFields {
        var passed = self.endToEnd(fields, self.isForService)
        passed.append(HTTPField(name: .via, value: self.via))
        return passed
    }

    /// What a client gets to see of an answer.
    static func response(_ fields: HTTPFields) -> HTTPFields {
        var passed = self.endToEnd(fields, self.isForClient)
        // RFC 9112 section 6.3: a length beside a transfer encoding says nothing, and would be believed behind the gateway.
        if fields.contains(.transferEncoding) { passed[.contentLength] = nil }
        return passed
    }

    private static func endToEnd(_ fields: HTTPFields, _ passes: (String) -> Bool) -> HTTPFields {
        let named = self.named(fields[values: .connection])
        var passed = HTTPFields()
        passed.reserveCapacity(fields.count + 4)
        for field in fields where passes(field.name.rawName) && !named.contains(where: field.name.rawName.isSameName) {
            passed.append(field)
        }
        return passed
    }

    // MARK: - As the fast lane has them

    /// As ``request(_:)-(HTTPFields)``.
    static func request(_ headers: HTTPHeaders) -> [(String, String)] {
        var passed = self.endToEnd(headers, self.isForService)
        passed.append(("Via", self.via))
        return passed
    }

    /// As ``response(_:)-(HTTPFields)``.
    static func response(_ headers: HTTPHeaders) -> [(String, String)] {
        var passed = self.endToEnd(headers, self.isForClient)
        if headers.contains(name: "transfer-encoding") { passed.removeAll { $0.0.isSameName(as: "content-length") } }
        return passed
    }

    private static func endToEnd(_ headers: HTTPHeaders, _ passes: (String) -> Bool) -> [(String, String)] {
        let named = self.named(headers["connection"])
        var passed: [(String, String)] = []
        passed.reserveCapacity(headers.count + 5)
        for (name, value) in headers where passes(name) && !named.contains(where: name.isSameName) { passed.append((name, value)) }
        return passed
    }

    // MARK: - The rules

    private static func isForService(_ name: String) -> Bool {
        !self.hopByHop.contains(name) && !self.onlyForGateway.contains(name) && !self.isIdentity(name)
            && !name.isName(beginningWith: "x-forwarded-") && !name.isName(beginningWith: "proxy-")
    }

    private static func isForClient(_ name: String) -> Bool {
        !self.hopByHop.contains(name) && !self.onlyFromGateway.contains(name) && !self.isIdentity(name)
    }

    private static func isIdentity(_ name: String) -> Bool { name.isName(beginningWith: "switchboard-") }

    /// What `Connection` names is for this connection only, too.
    private static func named(_ connection: [String]) -> [String] {
        guard !connection.isEmpty else { return [] }
        return connection.flatMap { $0.split(separator: ",") }
            .map { name in String(decoding: name.utf8.filter { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }, as: UTF8.self) }
    }
}
