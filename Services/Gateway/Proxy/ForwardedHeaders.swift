import HTTPTypes
import ServiceKit

/// Which headers pass the gateway.
enum ForwardedHeaders {
    /// For one connection only (RFC 9110 section 7.6.1), with those that older peers send.
    private static let hopByHop: Set<HTTPField.Name> = [
        .connection, .keepAlive, .te, .trailer, .transferEncoding, .upgrade, .proxyAuthenticate, .proxyAuthorization, .http2Settings,
    ]

    /// Credentials end here; identity, forwarding and request id are told by the gateway itself; the length is the new request's own,
    /// and 100-continue is a matter between client and gateway.
    private static let onlyForGateway: Set<HTTPField.Name> = [
        .authorization, .apiKey, .cookie, .forwarded, .requestID, .contentLength, .expect,
    ]

    /// The gateway writes these itself on its answers.
    private static let onlyFromGateway: Set<HTTPField.Name> = [
        .requestID, .server, .xContentTypeOptions, .strictTransportSecurity, .referrerPolicy, .frameOptions,
        .rateLimit, .rateLimitPolicy, .xRateLimitLimit, .xRateLimitRemaining, .xRateLimitReset, .setCookie,
    ]

    /// What an owning service gets to see of a request.
    static func request(_ fields: HTTPFields) -> HTTPFields {
        var passed = self.endToEnd(fields) { name in
            self.onlyForGateway.contains(name) || self.isIdentity(name) || name.canonicalName.hasPrefix("x-forwarded-")
                || name.canonicalName.hasPrefix("proxy-") || name.canonicalName == "x-real-ip"
        }
        // RFC 9110 section 7.6.3: a gateway tells that the message passed it.
        passed.append(HTTPField(name: .via, value: "1.1 switchboard"))
        return passed
    }

    /// What a client gets to see of an answer.
    static func response(_ fields: HTTPFields) -> HTTPFields {
        var passed = self.endToEnd(fields) { self.onlyFromGateway.contains($0) || self.isIdentity($0) }
        // RFC 9112 section 6.3: a length beside a transfer encoding says nothing, and would be believed behind the gateway.
        if fields.contains(.transferEncoding) { passed[.contentLength] = nil }
        return passed
    }

    /// Without hop-by-hop fields, those that `Connection` names among them, and without those that are taken off.
    private static func endToEnd(_ fields: HTTPFields, takingOff isRefused: (HTTPField.Name) -> Bool) -> HTTPFields {
        let named = fields[values: .connection]
            .flatMap { $0.split(separator: ",") }
            .compactMap { HTTPField.Name(String($0.filter { $0 != " " && $0 != "\t" })) }
        var passed = HTTPFields()
        passed.reserveCapacity(fields.count + 4)
        for field in fields where !self.hopByHop.contains(field.name) && !named.contains(field.name) && !isRefused(field.name) {
            passed.append(field)
        }
        return passed
    }

    private static func isIdentity(_ name: HTTPField.Name) -> Bool { name.canonicalName.hasPrefix("switchboard-") }
}
