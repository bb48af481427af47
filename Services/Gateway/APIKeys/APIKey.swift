import Foundation
import Models
import ServiceKit

/// What a key may do.
struct APIKeyRights: Sendable, Equatable {
    var role: Role
    var scopes: Set<Scope>

    /// Never more than the maker may at this moment.
    func limited(to role: Role) -> APIKeyRights {
        let role = min(self.role, role)
        return APIKeyRights(role: role, scopes: self.scopes.filter { $0.leastRole <= role })
    }

    /// Never more than the key that made this one.
    func limited(to rights: APIKeyRights) -> APIKeyRights {
        let limited = self.limited(to: rights.role)
        return APIKeyRights(role: limited.role, scopes: limited.scopes.intersection(rights.scopes))
    }
}

struct APIKey: Sendable {
    var id: APIKeyID
    var prefix: String
    var settings: APIKeySettings
    var createdBy: UserID
    /// The key that made this one.
    var parentID: APIKeyID?
    var createdAt: Date
    var lastUsedAt: Date?
    var lastUsedAddress: String?
    /// `User-Agent` of the last use, cut.
    var lastUsedAgent: String?
    var revokedAt: Date?

    var name: String { self.settings.name }
    var rights: APIKeyRights { self.settings.rights }
}

/// A key in answers; `key` only in the one that made it.
struct APIKeyResponse: Encodable, Sendable {
    var stored: APIKey
    var key: Secret?

    private enum CodingKeys: String, CodingKey {
        case id, name, prefix, key, role, scopes
        case rateLimit = "rate_limit"
        case allowedCIDRs = "allowed_cidrs"
        case createdBy = "created_by"
        case parentID = "parent_id"
        case expiresAt = "expires_at"
        case createdAt = "created_at"
        case lastUsedAt = "last_used_at"
        case lastUsedAddress = "last_used_address"
        case lastUsedAgent = "last_used_agent"
        case revokedAt = "revoked_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        let settings = self.stored.settings
        try container.encode(self.stored.id, forKey: .id)
        try container.encode(settings.name, forKey: .name)
        try container.encode(self.stored.prefix, forKey: .prefix)
        // The one place where a key leaves the process.
        try container.encodeIfPresent(self.key?.reveal(), forKey: .key)
        try container.encode(settings.rights.role, forKey: .role)
        try container.encode(settings.rights.scopes.map(\.rawValue).sorted(), forKey: .scopes)
        try container.encode(settings.rateLimit, forKey: .rateLimit)
        try container.encode(settings.allowed.map(\.text), forKey: .allowedCIDRs)
        try container.encode(self.stored.createdBy, forKey: .createdBy)
        try container.encode(self.stored.parentID, forKey: .parentID)
        try container.encode(settings.expiresAt, forKey: .expiresAt)
        try container.encode(self.stored.createdAt, forKey: .createdAt)
        try container.encode(self.stored.lastUsedAt, forKey: .lastUsedAt)
        try container.encode(self.stored.lastUsedAddress, forKey: .lastUsedAddress)
        try container.encode(self.stored.lastUsedAgent, forKey: .lastUsedAgent)
        try container.encode(self.stored.revokedAt, forKey: .revokedAt)
    }
}
