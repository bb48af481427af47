import Database
import Models

/// A member as seen from one of their organizations.
struct Account: Sendable {
    var user: UserSummary
    var organization: OrganizationSummary
    var role: Role
}

struct UserSummary: Encodable, Sendable, Equatable {
    var id: UserID
    var email: String
    var name: String
    /// Somebody has opened a mail that was sent there.
    var isEmailVerified: Bool
    var hasSecondFactor: Bool

    private enum CodingKeys: String, CodingKey {
        case id, email, name
        case isEmailVerified = "email_verified"
        case hasSecondFactor = "totp_enabled"
    }
}

struct OrganizationSummary: Encodable, Sendable, Equatable {
    var id: OrganizationID
    var name: String
    var tier: Tier
}

/// `GET /me` and, with what the key may do, `GET /api/public/user`.
struct AccountResponse: Encodable, Sendable {
    var user: UserSummary
    var organization: OrganizationSummary
    var role: Role
    /// nil for a signed-in member.
    var key: KeyFacts?

    struct KeyFacts: Encodable, Sendable {
        var id: APIKeyID
        var scopes: [Scope]
    }

    /// - principal: its role is the key's where a key asks.
    init(_ account: Account, for principal: Principal) {
        self.user = account.user
        self.organization = account.organization
        self.role = principal.role
        if case .key(let id, _) = principal.subject {
            self.key = KeyFacts(id: id, scopes: (principal.scopes ?? []).sorted { $0.rawValue < $1.rawValue })
        }
    }

    private enum CodingKeys: String, CodingKey { case user, organization, role, key }
}

extension Account: RowDecodable {
    /// Of `users u`, `organizations o` and `memberships m`.
    static let columns: StaticString = """
        u.id AS user_id, u.email, u.name AS user_name, u.email_verified_at IS NOT NULL AS email_verified,
        EXISTS (SELECT 1 FROM second_factors f WHERE f.user_id = u.id AND f.confirmed_at IS NOT NULL) AS has_second_factor,
        o.id AS organization_id, o.name AS organization_name, o.tier, m.role
        """

    init(row: Row) throws {
        self.user = UserSummary(
            id: try row.get("user_id"),
            email: try row.get("email"),
            name: try row.get("user_name"),
            isEmailVerified: try row.get("email_verified"),
            hasSecondFactor: try row.get("has_second_factor")
        )
        self.organization = OrganizationSummary(
            id: try row.get("organization_id"),
            name: try row.get("organization_name"),
            tier: try row.get("tier")
        )
        self.role = try row.get("role")
    }
}
