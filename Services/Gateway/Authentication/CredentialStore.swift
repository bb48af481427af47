import Database
import Models
import ServiceKit

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

    /// The key with the keys above it: what it may is limited by each of them as it is now. Its own row comes last.
    func key(_ digest: TokenDigest) async throws -> StoredCredential? {
        let chain = try await self.database.read(
            """
            WITH RECURSIVE shown AS (
                SELECT organization_id, id, NULL::timestamptz AS ends_at FROM api_keys WHERE key_hash = \(digest.bytes)
                UNION ALL
                SELECT organization_id, key_id, expires_at FROM retired_key_secrets
                WHERE key_hash = \(digest.bytes) AND expires_at > now()
            ), chain AS (
                SELECT k.organization_id, k.id, k.parent_id, k.created_by, k.role, k.scopes, k.rate_limit, k.allowed_cidrs, k.revoked_at,
                    LEAST(k.expires_at, shown.ends_at) AS expires_at, 0 AS height
                FROM shown JOIN api_keys k ON k.organization_id = shown.organization_id AND k.id = shown.id
                UNION ALL
                SELECT p.organization_id, p.id, p.parent_id, p.created_by, p.role, p.scopes, p.rate_limit, p.allowed_cidrs, p.revoked_at,
                    p.expires_at, chain.height + 1
                FROM chain JOIN api_keys p ON p.organization_id = chain.organization_id AND p.id = chain.parent_id
            )
            SELECT chain.organization_id, chain.id, chain.created_by, chain.role, chain.scopes, chain.rate_limit, chain.allowed_cidrs,
                o.tier, m.role AS maker_role, EXTRACT(EPOCH FROM chain.expires_at - now())::float8 AS remaining,
                chain.revoked_at IS NULL AND (chain.expires_at IS NULL OR chain.expires_at > now()) AS is_live
            FROM chain
            JOIN organizations o ON o.id = chain.organization_id
            LEFT JOIN memberships m ON m.organization_id = chain.organization_id AND m.user_id = chain.created_by
            ORDER BY chain.height DESC
            """,
            as: KeyRow.self
        )
        return KeyRow.credential(of: chain, self.limits)
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
    /// nil where the maker is no member any more.
    var makerRole: Role?
    var tier: Tier
    var ownLimit: Int64?
    var allowed: [AddressRange]
    var remaining: Double?
    var isLive: Bool

    init(row: Row) throws {
        self.organization = try row.get("organization_id")
        self.id = try row.get("id")
        self.maker = try row.get("created_by")
        self.rights = try APIKey.rights(row)
        self.ownLimit = try row.get("rate_limit")
        self.allowed = try APIKey.ranges(row)
        self.tier = try row.get("tier")
        self.makerRole = try row.get("maker_role")
        self.remaining = try row.get("remaining")
        self.isLive = try row.get("is_live")
    }

    /// - chain: from the first key that was made to the one that was shown.
    /// - Returns: nil where there is no key, or one of the chain has ended or has a maker who is no member.
    static func credential(of chain: [KeyRow], _ limits: LimitSettings) -> StoredCredential? {
        guard let key = chain.last, let makerRole = key.makerRole, chain.allSatisfy({ $0.isLive && $0.makerRole != nil }) else {
            return nil
        }
        let rights = chain.reduce(key.rights.limited(to: makerRole)) { rights, above in
            rights.limited(to: above.makerRole.map { above.rights.limited(to: $0) } ?? above.rights)
        }
        let principal = Principal(
            organizationID: key.organization,
            subject: .key(key.id, maker: key.maker),
            role: rights.role,
            scopes: rights.scopes
        )
        let makers = Set(chain.map(\.maker)).map { CredentialTag.member(key.organization, $0) }
        let above = chain.dropLast().compactMap { above in above.ownLimit.map { LimitedAncestor(id: above.id, limit: $0) } }
        let known = KnownCredential(
            principal: principal,
            limits: limits.limits(ofKey: key.id, own: key.ownLimit, above: above, in: key.organization, key.tier),
            tags: chain.map { .key($0.organization, $0.id) } + makers + [.organization(key.organization)],
            allowed: chain.map(\.allowed).filter { !$0.isEmpty }
        )
        return StoredCredential(known: known, remaining: chain.compactMap(\.remaining).min().map { .seconds($0) })
    }
}
