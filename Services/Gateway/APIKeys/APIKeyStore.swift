import Database
import Foundation
import Models

struct APIKeyStore: Sendable {
    let database: Postgres

    func list(_ request: PageRequest, in organization: OrganizationID) async throws -> [APIKey] {
        try await self.database.read(
            """
            SELECT \(raw: APIKey.columns) FROM api_keys
            WHERE organization_id = \(organization) AND id < \(request.before ?? .max)
            ORDER BY id DESC
            LIMIT \(request.limit + 1)
            """
        )
    }

    func find(_ id: APIKeyID, in organization: OrganizationID) async throws -> APIKey? {
        try await self.database.readFirst(
            "SELECT \(raw: APIKey.columns) FROM api_keys WHERE organization_id = \(organization) AND id = \(id)"
        )
    }

    /// A key that makes a key: its own bounds, locked against a revocation at the same time.
    func bounds(of parent: APIKeyID, in organization: OrganizationID, _ transaction: Transaction) throws -> APIKeyBounds? {
        try transaction.first(
            """
            SELECT expires_at, rate_limit FROM api_keys
            WHERE organization_id = \(organization) AND id = \(parent) AND revoked_at IS NULL
            FOR SHARE
            """
        )
    }

    func insert(_ new: NewAPIKey, _ material: APIKeyMaterial, by maker: Principal, _ transaction: Transaction) throws -> APIKey? {
        var parent: APIKeyID?
        if case .key(let id, _) = maker.subject { parent = id }
        return try transaction.first(
            """
            INSERT INTO api_keys (
                organization_id, name, prefix, key_hash, created_by, parent_id, role, scopes, rate_limit, expires_at
            ) VALUES (
                \(maker.organizationID), \(new.name), \(material.prefix), \(material.digest.bytes), \(maker.userID), \(parent),
                \(new.rights.role), \(new.rights.scopes.map(\.rawValue).sorted())::text[], \(new.rateLimit), \(new.expiresAt)
            )
            RETURNING \(raw: APIKey.columns)
            """
        )
    }

    /// Revokes the key and every key that it made, directly or not; answers those that were not revoked yet. nil where there is no such key.
    ///
    /// Goes on until nothing new turns up: a key of the family may have been making another one while its row was waited for.
    func revoke(_ id: APIKeyID, in organization: OrganizationID, _ transaction: Transaction) throws -> [APIKeyID]? {
        let exists = try transaction.first(
            "SELECT id FROM api_keys WHERE organization_id = \(organization) AND id = \(id) FOR UPDATE",
            as: Int64.self
        )
        guard exists != nil else { return nil }
        var revoked: [APIKeyID] = []
        while true {
            let more = try self.revokeVisibleFamily(of: id, in: organization, transaction)
            guard !more.isEmpty else { return revoked }
            revoked += more
        }
    }

    private func revokeVisibleFamily(
        of id: APIKeyID,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws -> [APIKeyID] {
        try transaction.rows(
            """
            WITH RECURSIVE family AS (
                SELECT id FROM api_keys WHERE organization_id = \(organization) AND id = \(id)
                UNION
                SELECT child.id FROM api_keys AS child JOIN family ON child.parent_id = family.id
                WHERE child.organization_id = \(organization)
            )
            UPDATE api_keys SET revoked_at = now()
            WHERE organization_id = \(organization) AND id IN (SELECT id FROM family) AND revoked_at IS NULL
            RETURNING id
            """,
            as: Int64.self
        ).map { APIKeyID($0) }
    }

    func recordUses(_ uses: [APIKeyUse]) async throws {
        try await self.database.write(
            """
            UPDATE api_keys SET last_used_at = GREATEST(last_used_at, now() - make_interval(secs => used.seconds_ago))
            FROM unnest(
                \(uses.map(\.organization))::bigint[], \(uses.map(\.id))::bigint[], \(uses.map { String($0.secondsAgo) })::float8[]
            ) AS used (organization_id, id, seconds_ago)
            WHERE api_keys.organization_id = used.organization_id AND api_keys.id = used.id
            """
        )
    }
}

/// A fresh key: shown once, stored as digest and prefix.
struct APIKeyMaterial: Sendable {
    let key: Secret
    let prefix: String
    let digest: TokenDigest

    init(_ kind: TokenFormat) throws {
        self.key = try kind.make()
        self.prefix = TokenFormat.visiblePrefix(of: self.key, kind)
        self.digest = try TokenDigest(self.key.reveal())
    }
}

struct APIKeyBounds: RowDecodable {
    var expiresAt: Date?
    var rateLimit: Int64?

    init(row: Row) throws {
        self.expiresAt = try row.get("expires_at")
        self.rateLimit = try row.get("rate_limit")
    }
}

extension APIKey: RowDecodable {
    static let columns: StaticString = """
        id, name, prefix, role, scopes, rate_limit, created_by, expires_at, created_at, last_used_at, revoked_at
        """

    init(row: Row) throws {
        self.id = try row.get("id")
        self.name = try row.get("name")
        self.prefix = try row.get("prefix")
        let scopes = try row.get("scopes", as: [String].self).compactMap(Scope.init(rawValue:))
        self.rights = APIKeyRights(role: try row.get("role"), scopes: Set(scopes))
        self.rateLimit = try row.get("rate_limit")
        self.createdBy = try row.get("created_by")
        self.expiresAt = try row.get("expires_at")
        self.createdAt = try row.get("created_at")
        self.lastUsedAt = try row.get("last_used_at")
        self.revokedAt = try row.get("revoked_at")
    }
}

extension Role: SQLEncodable, SQLDecodable {}
