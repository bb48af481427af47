import Database
import Foundation
import Models

/// What was counted under one key, route, status or stretch of time; or all of it.
struct UsageGroup: Sendable {
    enum Kind: Int, Sendable {
        // GROUPING() of (key_id, route, status): a bit for each that is not grouped by.
        case key = 0b011
        case route = 0b101
        case status = 0b110
        case keyRouteAndStatus = 0b000
        case all = 0b111
        case time = 0b1000
    }

    var kind: Kind
    /// 0 for members.
    var key: Int64?
    var route: String?
    var status: Int?
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
    static let mostGroups = 200

    /// All of an organization's groups, in one statement.
    func analytics(_ query: UsageQuery, in organization: OrganizationID) async throws -> [UsageGroup] {
        let slice = Self.slice(query, in: organization)
        return try await self.database.read(
            """
            \(Self.groups(of: slice, by: "(), (key_id), (route), (status)"))
            UNION ALL
            SELECT \(UsageGroup.Kind.time.rawValue)::integer, NULL, NULL, NULL,
                date_trunc(\(query.granularity.rawValue), start, 'UTC') AS point, \(Self.figures), 0
            FROM (\(slice)) AS slice GROUP BY point
            ORDER BY point NULLS FIRST, place
            """
        )
    }

    /// One key's groups by route and status, and their total.
    func usage(of key: APIKeyID, _ query: UsageQuery, in organization: OrganizationID) async throws -> [UsageGroup] {
        let slice = Self.slice(query, in: organization) + " AND key_id = \(key)"
        return try await self.database.read("\(Self.groups(of: slice, by: "(), (key_id, route, status)")) ORDER BY place")
    }

    private static func slice(_ query: UsageQuery, in organization: OrganizationID) -> Query {
        """
        SELECT start, key_id, route, status, requests, request_bytes, response_bytes, duration_us, latency FROM usage_sums
        WHERE organization_id = \(organization) AND grain = \(query.granularity.grain) AND start >= \(query.from) AND start < \(query.to)
        """
    }

    /// In two steps: the many rows are added up once, and only their few sums are grouped in several ways.
    private static func groups(of slice: Query, by sets: StaticString) -> Query {
        """
        SELECT kind, key_id, route, status, NULL::timestamptz AS point, requests, errors, request_bytes, response_bytes, duration_us, latency,
            place
        FROM (
            SELECT *, row_number() OVER (PARTITION BY kind ORDER BY requests DESC, route, key_id, status) AS place FROM (
                SELECT GROUPING(key_id, route, status) AS kind, key_id, route, status,
                    COALESCE(SUM(requests), 0)::bigint AS requests, COALESCE(SUM(errors), 0)::bigint AS errors,
                    COALESCE(SUM(request_bytes), 0)::bigint AS request_bytes, COALESCE(SUM(response_bytes), 0)::bigint AS response_bytes,
                    COALESCE(SUM(duration_us), 0)::bigint AS duration_us, COALESCE(sum_buckets(latency), '{}') AS latency
                FROM (SELECT key_id, route, status, \(self.figures) FROM (\(slice)) AS slice GROUP BY key_id, route, status) AS fine
                GROUP BY GROUPING SETS (\(raw: sets))
            ) AS grouped
        ) AS ranked
        WHERE place <= \(self.mostGroups)
        """
    }

    /// Sums of the rows of a group. Each bucket by itself: many times faster over many rows than adding arrays.
    private static let figures = Query(
        stringLiteral: """
            SUM(requests)::bigint AS requests, COALESCE(SUM(requests) FILTER (WHERE status >= 400), 0)::bigint AS errors,
            SUM(request_bytes)::bigint AS request_bytes, SUM(response_bytes)::bigint AS response_bytes,
            SUM(duration_us)::bigint AS duration_us,
            ARRAY[\((1...LatencyScale.count).map { "SUM(latency[\($0)])::bigint" }.joined(separator: ", "))] AS latency
            """
    )

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
        self.status = try row.get("status")
        self.time = try row.get("point")
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
