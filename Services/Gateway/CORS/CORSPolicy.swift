import Foundation
import HTTPTypes
import Hummingbird
import Models
import ServiceKit

/// Which pages of other origins may call the API from a browser (WHATWG Fetch, section 3.3). Credentials that a browser adds by itself are never
/// allowed: there are no cookies here, and a page must hold its token to use it.
struct CORSPolicy: Sendable, Equatable {
    /// As browsers send them: scheme, host and port where it is not the scheme's own.
    let origins: Set<String>

    /// Seconds that a browser may remember a preflight.
    static let maximumAge = 600
    static let allowedHeaders = [
        "Authorization", "X-API-Key", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Request-Id", "traceparent",
    ]
    static let exposedHeaders = [
        "RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset", "Retry-After", "X-Request-Id",
        "ETag", "Idempotency-Replayed",
    ]

    init(origins: Set<String>) { self.origins = origins }

    /// Reads `CORS_ORIGINS`; nil where there are none.
    init?(_ reader: SettingsReader) {
        let texts = (reader.optionalString("CORS_ORIGINS") ?? "").split(separator: ",")
            .map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
        for text in texts where !Self.isOrigin(text) {
            reader.fault("CORS_ORIGINS", "must be a comma-separated list of origins, https://app.example.com")
        }
        guard !texts.isEmpty else { return nil }
        self.init(origins: Set(texts))
    }

    /// RFC 6454 section 6.2, in the one spelling that browsers use: an origin written otherwise would never match.
    static func isOrigin(_ text: String) -> Bool {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme, ["http", "https"].contains(scheme),
            let host = parts.host, host.contains(/^([a-z0-9.-]+|\[[0-9a-f:.]+\])$/), parts.port != (scheme == "http" ? 80 : 443)
        else { return false }
        return text == "\(scheme)://\(host)\(parts.port.map { ":\($0)" } ?? "")" && text == text.lowercased()
    }

    /// Fields of every answer. `Vary` stands on answers to others, too, so that no cache gives one's answer to another.
    func fields(for origin: String?) -> [(HTTPField.Name, String)] {
        guard let origin, self.origins.contains(origin) else { return [(.vary, "Origin")] }
        return [
            (.vary, "Origin"),
            (.accessControlAllowOrigin, origin),
            (.accessControlExposeHeaders, Self.exposedHeaders.joined(separator: ", ")),
        ]
    }

    /// What a preflight is told beside ``fields(for:)``, by the methods that the path knows. A page that may not call learns nothing from it.
    func preflight(for origin: String, knowing methods: [Route.Method]) -> HTTPFields {
        var fields: HTTPFields = [.vary: "Access-Control-Request-Method, Access-Control-Request-Headers"]
        guard self.origins.contains(origin) else { return fields }
        var names = methods.map(\.rawValue)
        if methods.contains(.get) { names.append("HEAD") }
        fields[.accessControlAllowMethods] = names.joined(separator: ", ")
        fields[.accessControlAllowHeaders] = Self.allowedHeaders.joined(separator: ", ")
        fields[.accessControlMaxAge] = String(Self.maximumAge)
        return fields
    }

    /// Preflights are answered here: they carry no credential and cost nothing. Other OPTIONS are no method that a path knows.
    @Sendable func handle(_ request: Request, _ context: BaseContext) -> Response? {
        let origin = request.headers[.origin]
        for (name, value) in self.fields(for: origin) { context.addHeader(name, value) }
        guard request.method == .options, let origin, request.headers[.accessControlRequestMethod] != nil,
            case .wrongMethod(let methods) = ReverseProxy.routes.match(.options, Self.path(of: request.head.path ?? ""))
        else { return nil }
        return Response(status: .noContent, headers: self.preflight(for: origin, knowing: methods))
    }

    private static func path(of target: String) -> String { String(target.prefix { $0 != "?" }) }
}
