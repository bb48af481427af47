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
    static let columns: StaticString = """
        u.id AS user_id, u.email, u.name AS user_name, o.id AS organization_id, o.name AS organization_name, o.tier, m.role
        """

    init(row: Row) throws {
        self.user = UserSummary(id: try row.get("user_id"), email: try row.get("email"), name: try row.get("user_name"))
        self.organization = OrganizationSummary(
            id: try row.get("organization_id"),
            name: try row.get("organization_name"),
            tier: try row.get("tier")
        )
        self.role = try row.get("role")
    }
}
