import Database
import Foundation
import Models

struct RequestLogStore: Sendable {
    let database: Postgres

    /// Rows of the requests whose organization is known, and the sums of all, in one transaction: the two always agree.
    func write(_ records: [RequestRecord]) async throws {
        try await self.database.transaction { transaction in
            let rows = records.lazy.compactMap { record in record.principal.map { Self.row(record, $0) } }
            try transaction.copy(into: "request_logs", columns: Self.columns, rows: rows)
            // Last: other replicas wait for the sums' rows until this commits.
            try transaction.write(Self.addition(of: UsageRollup.sums(of: records)))
        }
    }

    private static let columns: [StaticString] = [
        "organization_id", "time", "actor_kind", "actor_id", "method", "route", "status", "duration_us", "request_bytes", "response_bytes",
        "address", "agent", "request_id",
    ]

    private static func row(_ record: RequestRecord, _ principal: Principal) -> [(any SQLEncodable)?] {
        let (kind, actor): (String, Int64) =
            switch principal.subject {
            case .user(let id): ("user", id.rawValue)
            case .key(let id, _): ("key", id.rawValue)
            }
        return [
            principal.organizationID, record.time, kind, actor, record.route?.method.rawValue ?? "other",
            record.route?.template ?? "unmatched",
            record.status, record.durationMicroseconds, record.requestBytes, record.responseBytes, record.address, record.agent,
            record.requestID,
        ]
    }

    private static func addition(of sums: [(key: UsageKey, sum: UsageSum)]) -> Query {
        """
        INSERT INTO usage_sums AS held (
            organization_id, grain, start, key_id, route, status, requests, request_bytes, response_bytes, duration_us, latency
        )
        SELECT organization_id, grain, to_timestamp(start), key_id, route, status, requests, request_bytes, response_bytes, duration_us,
            latency::bigint[]
        FROM unnest(
            \(sums.map { $0.key.organization })::bigint[], \(sums.map { $0.key.grain })::text[], \(sums.map { $0.key.start })::bigint[],
            \(sums.map { $0.key.key })::bigint[], \(sums.map { $0.key.route })::text[], \(sums.map { $0.key.status })::smallint[], \(sums.map { $0.sum.requests })::bigint[],
            \(sums.map { $0.sum.requestBytes })::bigint[], \(sums.map { $0.sum.responseBytes })::bigint[],
            \(sums.map { $0.sum.durationMicroseconds })::bigint[], \(sums.map { Self.array($0.sum.latency) })::text[]
        ) AS added (
            organization_id, grain, start, key_id, route, status, requests, request_bytes, response_bytes, duration_us, latency
        )
        ON CONFLICT (organization_id, grain, start, key_id, route, status) DO UPDATE SET
            requests = held.requests + EXCLUDED.requests,
            request_bytes = held.request_bytes + EXCLUDED.request_bytes,
            response_bytes = held.response_bytes + EXCLUDED.response_bytes,
            duration_us = held.duration_us + EXCLUDED.duration_us,
            latency = add_buckets(held.latency, EXCLUDED.latency)
        """
    }

    /// An array as Postgres reads it, `{0,3,1}`.
    private static func array(_ numbers: [Int64]) -> String {
        var text = "{"
        for (place, number) in numbers.enumerated() {
            if place > 0 { text += "," }
            text += String(number)
        }
        return text + "}"
    }

    // MARK: - Retention

    /// Makes the partitions of today and the days ahead that are not there yet.
    func makePartitions(daysAhead: Int) async throws -> Int {
        try await self.database.writeFirst("SELECT ensure_request_log_partitions(\(daysAhead))", as: Int.self) ?? 0
    }

    /// Drops the days that lie further back.
    func dropPartitions(daysKept: Int) async throws -> Int {
        try await self.database.writeFirst("SELECT drop_request_log_partitions(\(daysKept))", as: Int.self) ?? 0
    }

    /// Removes sums of what lies further back, at most so many rows.
    func removeUsage(daysKept: Int, atMost limit: Int) async throws -> Int {
        try await self.database.write(
            """
            DELETE FROM usage_sums WHERE ctid = ANY(ARRAY(
                SELECT ctid FROM usage_sums WHERE start < now() - make_interval(days => \(daysKept)) ORDER BY start LIMIT \(limit)
            ))
            """
        )
    }
}
