import Database
import Foundation
import Models

/// What the gateway itself knows of an organization.
struct OrganizationFigures: Encodable, Sendable {
    var id: OrganizationID
    var name: String
    var tier: Tier
    var createdAt: Date
    /// By role, and all of them.
    var members: [String: Int]
    /// Neither revoked nor expired.
    var liveKeys: Int
    /// The last 24 hours by the clock, the present one included.
    var lastDay: Requests
    var limits: Limits

    struct Requests: Encodable, Sendable {
        var requests: Int64
        /// Answers with a status of 400 and above.
        var errors: Int64
    }

    /// Units; see the gateway's policies.
    struct Limits: Encodable, Sendable {
        var keyHour: Int64
        var keyBurst: Int64
        var organizationHour: Int64
        var memberMinute: Int64

        private enum CodingKeys: String, CodingKey {
            case keyHour = "key_hour"
            case keyBurst = "key_burst"
            case organizationHour = "organization_hour"
            case memberMinute = "member_minute"
        }

        init(_ settings: LimitSettings, _ tier: Tier) {
            self.keyHour = settings.hour[tier]
            self.keyBurst = settings.burst[tier]
            self.organizationHour = settings.organization[tier]
            self.memberMinute = settings.member
        }
    }

    private enum CodingKeys: String, CodingKey {
        case id, name, tier, members, limits
        case createdAt = "created_at"
        case liveKeys = "live_keys"
        case lastDay = "last_day"
    }
}

struct OverviewStore: Sendable {
    let database: Postgres
    let limits: LimitSettings

    /// - Throws: 404 where the organization is gone.
    func figures(of organization: OrganizationID) async throws -> OrganizationFigures {
        let found: Figures? = try await self.database.readFirst(
            """
            SELECT organization.id, organization.name, organization.tier, organization.created_at, members.viewers, members.editors,
                members.admins, members.owners, keys.live, used.requests, used.errors
            FROM organizations AS organization
            CROSS JOIN (
                SELECT count(*) FILTER (WHERE role = 'viewer') AS viewers, count(*) FILTER (WHERE role = 'editor') AS editors,
                    count(*) FILTER (WHERE role = 'admin') AS admins, count(*) FILTER (WHERE role = 'owner') AS owners
                FROM memberships WHERE organization_id = \(organization)
            ) AS members
            CROSS JOIN (
                SELECT count(*) AS live FROM api_keys
                WHERE organization_id = \(organization) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
            ) AS keys
            CROSS JOIN (
                SELECT COALESCE(SUM(requests), 0)::bigint AS requests,
                    COALESCE(SUM(requests) FILTER (WHERE status >= 400), 0)::bigint AS errors
                FROM usage_sums
                WHERE organization_id = \(organization) AND grain = 'hour'
                    AND start >= date_trunc('hour', now(), 'UTC') - interval '23 hours'
            ) AS used
            WHERE organization.id = \(organization)
            """
        )
        guard let found else { throw Problem.notFound }
        var members = found.members
        members["total"] = members.values.reduce(0, +)
        return OrganizationFigures(
            id: organization,
            name: found.name,
            tier: found.tier,
            createdAt: found.createdAt,
            members: members,
            liveKeys: found.keys,
            lastDay: found.lastDay,
            limits: OrganizationFigures.Limits(self.limits, found.tier)
        )
    }

    /// The newest entries of the audit log, with the names of who made them.
    func activity(of organization: OrganizationID) async throws -> [ActivityItem] {
        let entries: [Entry] = try await self.database.read(
            """
            SELECT id, timestamp, action, actor, target, details ->> 'name' AS name FROM audit_logs
            WHERE organization_id = \(organization)
            ORDER BY position DESC LIMIT \(Activity.most)
            """
        )
        let names = try await self.names(of: Set(entries.map(\.actor)), in: organization)
        return entries.map { entry in
            ActivityItem(
                id: entry.id,
                time: entry.time,
                source: .audit,
                kind: entry.action,
                text: Activity.text(entry.action, name: entry.name),
                actor: ActivityItem.Actor(id: entry.actor, name: names[entry.actor]),
                target: entry.target
            )
        }
    }

    /// By actor, as `user:12`. Members who have left keep their name in what they did.
    private func names(of actors: Set<String>, in organization: OrganizationID) async throws -> [String: String] {
        func ids(_ prefix: String) -> [Int64] {
            actors.filter { $0.hasPrefix(prefix) }.compactMap { Int64($0.dropFirst(prefix.count)) }
        }
        let named: [Named] = try await self.database.read(
            """
            SELECT 'user:' || id AS actor, name FROM users WHERE id = ANY(\(ids("user:"))::bigint[])
            UNION ALL
            SELECT 'key:' || id AS actor, name FROM api_keys
            WHERE organization_id = \(organization) AND id = ANY(\(ids("key:"))::bigint[])
            """
        )
        return Dictionary(named.map { ($0.actor, $0.name) }, uniquingKeysWith: { $1 })
    }
}

private struct Figures: RowDecodable {
    var name: String
    var tier: Tier
    var createdAt: Date
    var members: [String: Int]
    var keys: Int
    var lastDay: OrganizationFigures.Requests

    init(row: Row) throws {
        self.name = try row.get("name")
        self.tier = try row.get("tier")
        self.createdAt = try row.get("created_at")
        self.members = [
            Role.viewer.rawValue: try row.get("viewers"), Role.editor.rawValue: try row.get("editors"),
            Role.admin.rawValue: try row.get("admins"), Role.owner.rawValue: try row.get("owners"),
        ]
        self.keys = try row.get("live")
        self.lastDay = OrganizationFigures.Requests(requests: try row.get("requests"), errors: try row.get("errors"))
    }
}

private struct Entry: RowDecodable {
    var id: String
    var time: Date
    var action: String
    var actor: String
    var target: String
    var name: String?

    init(row: Row) throws {
        self.id = try row.get("id")
        self.time = try row.get("timestamp")
        self.action = try row.get("action")
        self.actor = try row.get("actor")
        self.target = try row.get("target")
        self.name = try row.get("name")
    }
}

private struct Named: RowDecodable {
    var actor: String
    var name: String

    init(row: Row) throws {
        self.actor = try row.get("actor")
        self.name = try row.get("name")
    }
}
