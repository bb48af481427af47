import Database
import Foundation
import Models

/// What was counted under one key, route, class of status or stretch of time; or all of it.
struct UsageGroup: Sendable {
    enum Kind: Int, Sendable {
        // GROUPING() of (key_id, route, status_class, bucket): a bit for each that is not grouped by.
        case key = 0b0111
        case route = 0b1011
        case status = 0b1101
        case time = 0b1110
        case all = 0b1111
        case routeAndStatus = 0b1001
    }

    var kind: Kind
    /// 0 for members.
    var key: Int64?
    var route: String?
    var statusClass: Int?
    var time: Date?
    var figures: UsageFigures
}

struct UsageFigures: Sendable {
    var requests: Int64
    /// Answers with a status of 400 and above.
    var errors: Int64
    var requestBytes: Int64
    var responseBytes: Int64
    var durationMicroseconds: Int64
    var latency: [Int64]
}

struct UsageStore: Sendable {
    let database: Postgres

    /// Groups of one kind that are answered at most, the busiest first; points of a series are bounded by ``UsageQuery``.
    static let mostGroups = 100

    /// All of an organization's groups, in one statement.
    func analytics(_ query: UsageQuery, in organization: OrganizationID) async throws -> [UsageGroup] {
        try await self.groups(query, in: organization, key: nil, by: "(), (key_id), (route), (status_class), (bucket)")
    }

    /// One key's groups by route and class of status, and their total.
    func usage(of key: APIKeyID, _ query: UsageQuery, in organization: OrganizationID) async throws -> [UsageGroup] {
        try await self.groups(query, in: organization, key: key, by: "(), (route, status_class)")
    }

    private func groups(
        _ query: UsageQuery,
        in organization: OrganizationID,
        key: APIKeyID?,
        by sets: StaticString
    ) async throws -> [UsageGroup] {
        var slice: Query = """
            SELECT key_id, route, status_class, date_trunc(\(query.granularity.rawValue), hour, 'UTC') AS bucket, requests, request_bytes,
                response_bytes, duration_us, latency
            FROM usage_hours
            WHERE organization_id = \(organization) AND hour >= \(query.from) AND hour < \(query.to)
            """
        if let key { slice += " AND key_id = \(key)" }
        return try await self.database.read(
            """
            WITH groups AS (
                SELECT GROUPING(key_id, route, status_class, bucket) AS kind, key_id, route, status_class, bucket,
                    COALESCE(SUM(requests), 0)::bigint AS requests,
                    COALESCE(SUM(requests) FILTER (WHERE status_class >= 4), 0)::bigint AS errors,
                    COALESCE(SUM(request_bytes), 0)::bigint AS request_bytes, COALESCE(SUM(response_bytes), 0)::bigint AS response_bytes,
                    COALESCE(SUM(duration_us), 0)::bigint AS duration_us, COALESCE(sum_buckets(latency), '{}') AS latency
                FROM (\(slice)) AS slice
                GROUP BY GROUPING SETS (\(raw: sets))
            )
            SELECT * FROM (SELECT *, row_number() OVER (PARTITION BY kind ORDER BY requests DESC) AS place FROM groups) AS ranked
            WHERE place <= \(Self.mostGroups) OR bucket IS NOT NULL
            ORDER BY bucket NULLS FIRST, place
            """
        )
    }

    /// Names of these keys, for people.
    func names(of keys: [Int64], in organization: OrganizationID) async throws -> [Int64: String] {
        let named = try await self.database.read(
            "SELECT id, name FROM api_keys WHERE organization_id = \(organization) AND id = ANY(\(keys)::bigint[])",
            as: NamedKey.self
        )
        return Dictionary(named.map { ($0.id, $0.name) }, uniquingKeysWith: { $1 })
    }
}

private struct NamedKey: RowDecodable {
    var id: Int64
    var name: String

    init(row: Row) throws {
        self.id = try row.get("id")
        self.name = try row.get("name")
    }
}

extension UsageGroup: RowDecodable {
    init(row: Row) throws {
        guard let kind = Kind(rawValue: try row.get("kind")) else { throw DatabaseError(.decoding, "a group of an unknown kind") }
        self.kind = kind
        self.key = try row.get("key_id")
        self.route = try row.get("route")
        self.statusClass = try row.get("status_class")
        self.time = try row.get("bucket")
        self.figures = UsageFigures(
            requests: try row.get("requests"),
            errors: try row.get("errors"),
            requestBytes: try row.get("request_bytes"),
            responseBytes: try row.get("response_bytes"),
            durationMicroseconds: try row.get("duration_us"),
            latency: try row.get("latency")
        )
    }
}
