import Database
import Foundation
import Models

/// Organizations as the operator sees them: the one place that reads across tenants.
struct OperatorStore: Sendable {
    let database: Postgres

    func list(after organization: OrganizationID?, limit: Int) async throws -> [OrganizationListing] {
        try await self.database.read(
            "\(raw: OrganizationListing.query) WHERE o.id > \(organization?.rawValue ?? 0) ORDER BY o.id LIMIT \(limit)"
        )
    }

    func find(_ organization: OrganizationID) async throws -> OrganizationListing? {
        try await self.database.readFirst("\(raw: OrganizationListing.query) WHERE o.id = \(organization)")
    }

    /// Sets the tier, tells every replica and writes the audit entry; a tier that is set already changes nothing.
    /// - Returns: the tier before and the organization's name; nil where there is no such organization.
    static func setTier(
        of organization: OrganizationID,
        to tier: Tier,
        _ audit: AuditStore,
        _ transaction: Transaction
    ) throws -> TierChange? {
        let change = try transaction.first(
            "SELECT name, tier AS before FROM organizations WHERE id = \(organization) FOR NO KEY UPDATE",
            as: TierChange.self
        )
        guard let change, change.before != tier else { return change }
        try transaction.write("UPDATE organizations SET tier = \(tier) WHERE id = \(organization)")
        try Revocation.announce(.organization(organization), in: transaction)
        let details: JSONValue = ["before": ["tier": .string(change.before.rawValue)], "after": ["tier": .string(tier.rawValue)]]
        let entry = AuditChange(action: "organization.tier_set", target: "organization:\(organization)", details: details)
        try audit.record(entry, by: .operator, in: organization, transaction)
        return change
    }
}

struct TierChange: RowDecodable {
    var name: String
    var before: Tier

    init(row: Row) throws {
        self.name = try row.get("name")
        self.before = try row.get("before")
    }
}

struct OrganizationListing: RowDecodable {
    static let query: StaticString = """
        SELECT o.id, o.name, o.tier, o.created_at,
            (SELECT COUNT(*) FROM memberships m WHERE m.organization_id = o.id) AS members,
            (
                SELECT COUNT(*) FROM api_keys k
                WHERE k.organization_id = o.id AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
            ) AS live_keys
        FROM organizations o
        """

    var id: OrganizationID
    var name: String
    var tier: Tier
    var members: Int
    var liveKeys: Int
    var createdAt: Date

    init(row: Row) throws {
        self.id = try row.get("id")
        self.name = try row.get("name")
        self.tier = try row.get("tier")
        self.createdAt = try row.get("created_at")
        self.members = try row.get("members")
        self.liveKeys = try row.get("live_keys")
    }

    /// Fields between tabs, as scripts read them.
    var line: String {
        "\(self.id)\t\(self.tier.rawValue)\t\(self.members)\t\(self.liveKeys)\t\(Timestamp.format(self.createdAt))\t\(self.name)"
    }
}
