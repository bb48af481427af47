import Foundation
import Models

/// What a key may do.
struct APIKeyRights: Sendable, Equatable {
    var role: Role
    var scopes: Set<Scope>

    /// Never more than the maker may at this moment.
    func limited(to role: Role) -> APIKeyRights {
        let role = min(self.role, role)
        return APIKeyRights(role: role, scopes: self.scopes.filter { $0.leastRole <= role })
    }
}

struct APIKey: Sendable {
    var id: APIKeyID
    var name: String
    var prefix: String
    var rights: APIKeyRights
    var rateLimit: Int64?
    var createdBy: UserID
    var expiresAt: Date?
    var createdAt: Date
    var lastUsedAt: Date?
    var revokedAt: Date?
}

/// A key in answers; `key` only in the one that made it.
struct APIKeyResponse: Encodable, Sendable {
    var stored: APIKey
    var key: Secret?

    private enum CodingKeys: String, CodingKey {
        case id, name, prefix, key, role, scopes
        case rateLimit = "rate_limit"
        case createdBy = "created_by"
        case expiresAt = "expires_at"
        case createdAt = "created_at"
        case lastUsedAt = "last_used_at"
        case revokedAt = "revoked_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.stored.id, forKey: .id)
        try container.encode(self.stored.name, forKey: .name)
        try container.encode(self.stored.prefix, forKey: .prefix)
        // The one place where a key leaves the process.
        try container.encodeIfPresent(self.key?.reveal(), forKey: .key)
        try container.encode(self.stored.rights.role, forKey: .role)
        try container.encode(self.stored.rights.scopes.map(\.rawValue).sorted(), forKey: .scopes)
        try container.encode(self.stored.rateLimit, forKey: .rateLimit)
        try container.encode(self.stored.createdBy, forKey: .createdBy)
        try container.encode(self.stored.expiresAt, forKey: .expiresAt)
        try container.encode(self.stored.createdAt, forKey: .createdAt)
        try container.encode(self.stored.lastUsedAt, forKey: .lastUsedAt)
        try container.encode(self.stored.revokedAt, forKey: .revokedAt)
    }
}
