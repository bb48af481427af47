import Database
import Models

/// A credential as it stands in the database right now.
struct StoredCredential: Sendable {
    var known: KnownCredential
    /// How long the token or key still lives; nil for no end.
    var remaining: Duration?
}

/// Looks tokens and keys up. These are the two reads that cannot name an organization: the credential is what tells it.
struct CredentialStore: Sendable {
    let database: Postgres
    let limits: LimitSettings

    func session(_ digest: TokenDigest) async throws -> StoredCredential? {
        try await self.database.readFirst(
            """
            SELECT s.organization_id, s.id, s.user_id, m.role, EXTRACT(EPOCH FROM t.expires_at - now())::float8 AS remaining
            FROM access_tokens t
            JOIN sessions s ON s.organization_id = t.organization_id AND s.id = t.session_id
            JOIN memberships m ON m.organization_id = s.organization_id AND m.user_id = s.user_id
            WHERE t.token_hash = \(digest.bytes) AND t.expires_at > now() AND s.revoked_at IS NULL
            """,
            as: SessionRow.self
        )?.credential(self.limits)
    }

    func key(_ digest: TokenDigest) async throws -> StoredCredential? {
        try await self.database.readFirst(
            """
            SELECT k.organization_id, k.id, k.created_by, k.role, k.scopes, k.rate_limit, o.tier, m.role AS maker_role,
                EXTRACT(EPOCH FROM k.expires_at - now())::float8 AS remaining
            FROM api_keys k
            JOIN organizations o ON o.id = k.organization_id
            JOIN memberships m ON m.organization_id = k.organization_id AND m.user_id = k.created_by
            WHERE k.key_hash = \(digest.bytes) AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
            """,
            as: KeyRow.self
        )?.credential(self.limits)
    }
}

private struct SessionRow: RowDecodable {
    var organization: OrganizationID
    var session: SessionID
    var user: UserID
    var role: Role
    var remaining: Double

    init(row: Row) throws {
        self.organization = try row.get("organization_id")
        self.session = try row.get("id")
        self.user = try row.get("user_id")
        self.role = try row.get("role")
        self.remaining = try row.get("remaining")
    }

    func credential(_ limits: LimitSettings) -> StoredCredential {
        let known = KnownCredential(
            principal: Principal(organizationID: self.organization, subject: .user(self.user), role: self.role, scopes: nil),
            limits: limits.limits(ofMember: self.user, in: self.organization),
            tags: [.session(self.organization, self.session), .member(self.organization, self.user), .organization(self.organization)]
        )
        return StoredCredential(known: known, remaining: .seconds(self.remaining))
    }
}

private struct KeyRow: RowDecodable {
    var organization: OrganizationID
    var id: APIKeyID
    var maker: UserID
    var rights: APIKeyRights
    var makerRole: Role
    var tier: Tier
    var ownLimit: Int64?
    var remaining: Double?

    init(row: Row) throws {
        self.organization = try row.get("organization_id")
        self.id = try row.get("id")
        self.maker = try row.get("created_by")
        // A scope that this build does not know grants nothing.
        let scopes = try row.get("scopes", as: [String].self).compactMap(Scope.init(rawValue:))
        self.rights = APIKeyRights(role: try row.get("role"), scopes: Set(scopes))
        self.makerRole = try row.get("maker_role")
        self.tier = try row.get("tier")
        self.ownLimit = try row.get("rate_limit")
        self.remaining = try row.get("remaining")
    }

    func credential(_ limits: LimitSettings) -> StoredCredential {
        let rights = self.rights.limited(to: self.makerRole)
        let principal = Principal(
            organizationID: self.organization,
            subject: .key(self.id, maker: self.maker),
            role: rights.role,
            scopes: rights.scopes
        )
        let known = KnownCredential(
            principal: principal,
            limits: limits.limits(ofKey: self.id, own: self.ownLimit, in: self.organization, self.tier),
            tags: [.key(self.organization, self.id), .member(self.organization, self.maker), .organization(self.organization)]
        )
        return StoredCredential(known: known, remaining: self.remaining.map { .seconds($0) })
    }
}
