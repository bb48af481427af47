import HTTPTypes
import Models
import NIOHTTP1

/// What a request shows to be let in.
enum Credential: Sendable, Equatable {
    case none
    case token(String)

    static let ambiguous = Problem(.badRequest, "Send one credential: either Authorization or X-API-Key, once.")
    static let refused = Problem(.unauthenticated, "The token or API key is not valid.")

    /// Reads `Authorization: Bearer …` or `X-API-Key`.
    /// - Throws: ``ambiguous`` where there are several, since two parsers might choose differently; ``refused`` for another scheme.
    static func read(_ fields: HTTPFields) throws(Problem) -> Credential {
        try self.read(authorizations: fields[values: .authorization], keys: fields[values: .apiKey])
    }

    /// As ``read(_:)-(HTTPFields)``.
    static func read(_ headers: HTTPHeaders) throws(Problem) -> Credential {
        try self.read(authorizations: headers["authorization"], keys: headers["x-api-key"])
    }

    private static func read(authorizations: [String], keys: [String]) throws(Problem) -> Credential {
        guard authorizations.count + keys.count <= 1 else { throw self.ambiguous }
        if let key = keys.first { return .token(key) }
        guard let authorization = authorizations.first else { return .none }
        let parts = authorization.split(separator: " ", omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { throw self.refused }
        return .token(String(parts[1]))
    }
}
