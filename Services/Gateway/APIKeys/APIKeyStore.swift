import Database
import Foundation
import Models
import ServiceKit

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

    // What follows runs inside a caller's transaction: it shares it with audit entry and idempotency row.

    /// Locked against any other change until the transaction ends.
    func lock(_ id: APIKeyID, in organization: OrganizationID, _ transaction: Transaction) throws -> APIKey? {
        try transaction.first(
            "SELECT \(raw: APIKey.columns) FROM api_keys WHERE organization_id = \(organization) AND id = \(id) FOR UPDATE"
        )
    }

    /// A key whose settings bound another one's: locked against a change or revocation at the same time. nil where it has ended.
    func bounds(of id: APIKeyID, in organization: OrganizationID, _ transaction: Transaction) throws -> APIKeySettings? {
        try transaction.first(
            """
            SELECT \(raw: APIKey.columns) FROM api_keys
            WHERE organization_id = \(organization) AND id = \(id) AND revoked_at IS NULL
            FOR SHARE
            """,
            as: APIKey.self
        )?.settings
    }

    /// The keys above a key, and itself: its maker's maker and so on.
    func line(of id: APIKeyID, in organization: OrganizationID, _ transaction: Transaction) throws -> [APIKeyID] {
        try transaction.rows(
            """
            WITH RECURSIVE line AS (
                SELECT id, parent_id FROM api_keys WHERE organization_id = \(organization) AND id = \(id)
                UNION ALL
                SELECT above.id, above.parent_id FROM line JOIN api_keys AS above ON above.id = line.parent_id
                WHERE above.organization_id = \(organization)
            )
            SELECT id FROM line
            """,
            as: Int64.self
        ).map { APIKeyID($0) }
    }

    /// Keys that are neither revoked nor expired. The organization's row is locked first, so that two who count do not both find room.
    func countLive(in organization: OrganizationID, _ transaction: Transaction) throws -> Int {
        try transaction.write("SELECT id FROM organizations WHERE id = \(organization) FOR NO KEY UPDATE")
        return try transaction.first(
            """
            SELECT COUNT(*) FROM api_keys
            WHERE organization_id = \(organization) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
            """,
            as: Int.self
        ) ?? 0
    }

    func insert(_ new: APIKeySettings, _ material: APIKeyMaterial, by maker: Principal, _ transaction: Transaction) throws -> APIKey? {
        var parent: APIKeyID?
        if case .key(let id, _) = maker.subject { parent = id }
        return try transaction.first(
            """
            INSERT INTO api_keys (
                organization_id, name, prefix, key_hash, created_by, parent_id, role, scopes, rate_limit, expires_at, allowed_cidrs
            ) VALUES (
                \(maker.organizationID), \(new.name), \(material.prefix), \(material.digest.bytes), \(maker.userID), \(parent),
                \(new.rights.role), \(new.rights.scopes.map(\.rawValue).sorted())::text[], \(new.rateLimit), \(new.expiresAt),
                \(new.allowed.map(\.text))::text[]
            )
            RETURNING \(raw: APIKey.columns)
            """
        )
    }

    func update(_ id: APIKeyID, to settings: APIKeySettings, in organization: OrganizationID, _ transaction: Transaction) throws -> APIKey?
    {
        try transaction.first(
            """
            UPDATE api_keys SET name = \(settings.name), role = \(settings.rights.role),
                scopes = \(settings.rights.scopes.map(\.rawValue).sorted())::text[], rate_limit = \(settings.rateLimit),
                expires_at = \(settings.expiresAt), allowed_cidrs = \(settings.allowed.map(\.text))::text[]
            WHERE organization_id = \(organization) AND id = \(id)
            RETURNING \(raw: APIKey.columns)
            """
        )
    }

    /// Revokes the key and every key that it made, directly or not; answers those that were not revoked yet. nil where there is no such key.
    ///
    /// Goes on until nothing new turns up: a key of the family may have been making another one while its row was waited for.
    func revoke(_ id: APIKeyID, in organization: OrganizationID, _ transaction: Transaction) throws -> [APIKeyID]? {
        guard try self.lock(id, in: organization, transaction) != nil else { return nil }
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
            UPDATE api_keys SET last_used_at = used.at, last_used_address = used.address, last_used_agent = used.agent
            FROM (
                SELECT organization_id, id, now() - make_interval(secs => seconds_ago) AS at, address, agent
                FROM unnest(
                    \(uses.map(\.organization))::bigint[], \(uses.map(\.id))::bigint[], \(uses.map { String($0.secondsAgo) })::float8[],
                    \(uses.map(\.address))::text[], \(uses.map(\.agent))::text[]
                ) AS noted (organization_id, id, seconds_ago, address, agent)
            ) AS used
            WHERE api_keys.organization_id = used.organization_id AND api_keys.id = used.id
                AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < used.at)
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

extension APIKey: RowDecodable {
    static let columns: StaticString = """
        id, name, prefix, role, scopes, rate_limit, allowed_cidrs, created_by, parent_id, expires_at, created_at,
        last_used_at, last_used_address, last_used_agent, revoked_at
        """

    init(row: Row) throws {
        self.id = try row.get("id")
        let name: String = try row.get("name")
        self.prefix = try row.get("prefix")
        self.settings = APIKeySettings(
            name: name,
            rights: try Self.rights(row),
            rateLimit: try row.get("rate_limit"),
            expiresAt: try row.get("expires_at"),
            allowed: try Self.ranges(row)
        )
        self.createdBy = try row.get("created_by")
        self.parentID = try row.get("parent_id")
        self.createdAt = try row.get("created_at")
        self.lastUsedAt = try row.get("last_used_at")
        self.lastUsedAddress = try row.get("last_used_address")
        self.lastUsedAgent = try row.get("last_used_agent")
        self.revokedAt = try row.get("revoked_at")
    }

    /// A scope that this build does not know grants nothing.
    static func rights(_ row: Row) throws -> APIKeyRights {
        let scopes = try row.get("scopes", as: [String].self).compactMap(Scope.init(rawValue:))
        return APIKeyRights(role: try row.get("role"), scopes: Set(scopes))
    }

    /// - Throws: where the column holds something that is no network: left out, the key could be used from anywhere.
    static func ranges(_ row: Row) throws -> [AddressRange] {
        try row.get("allowed_cidrs", as: [String].self).map { text in
            guard let range = AddressRange(text) else { throw DatabaseError(.decoding, "allowed_cidrs holds what is no network") }
            return range
        }
    }
}

extension Role: SQLEncodable, SQLDecodable {}
