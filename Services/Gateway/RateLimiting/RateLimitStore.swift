import Database
import Models

/// Grants units from the counters that all replicas share.
struct RateLimitStore: Sendable {
    struct Question: Sendable {
        var limit: Limit
        var wanted: Int64
    }

    struct Return: Sendable {
        var counter: Limit.Counter
        var units: Int64
        /// Unix seconds.
        var windowStart: Int64
    }

    let database: Postgres

    /// Grants of the current windows, each as much of the lot as is left of its limit. One statement: however many replicas ask at once, never more
    /// than the limit is granted in a window. Rows are locked in one order, so that two such statements do not wait for each other.
    func grant(_ questions: [Question]) async throws -> [Limit.Counter: LimitGrant] {
        let counters = Dictionary(questions.map { (Key($0.limit.counter), $0.limit.counter) }, uniquingKeysWith: { first, _ in first })
        let rows = try await self.database.write(
            """
            INSERT INTO rate_limit_windows AS held
                (organization_id, subject, policy, window_seconds, window_start, quota, used, granted)
            SELECT organization_id, subject, policy, seconds,
                to_timestamp(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) / seconds) * seconds), quota, LEAST(wanted, quota), LEAST(wanted, quota)
            FROM unnest(
                \(questions.map(\.limit.subject.organizationID))::bigint[], \(questions.map(\.limit.subject.text))::text[],
                \(questions.map(\.limit.policy.rawValue))::text[], \(questions.map(\.limit.policy.windowSeconds))::integer[],
                \(questions.map(\.limit.units))::bigint[], \(questions.map(\.wanted))::bigint[]
            ) AS asked (organization_id, subject, policy, seconds, quota, wanted)
            ORDER BY organization_id, subject, policy
            ON CONFLICT (organization_id, subject, policy) DO UPDATE SET
                window_seconds = EXCLUDED.window_seconds,
                window_start = GREATEST(held.window_start, EXCLUDED.window_start),
                quota = EXCLUDED.quota,
                used = CASE WHEN held.window_start < EXCLUDED.window_start THEN EXCLUDED.granted
                    ELSE GREATEST(held.used, LEAST(held.used + EXCLUDED.granted, EXCLUDED.quota)) END,
                granted = CASE WHEN held.window_start < EXCLUDED.window_start THEN EXCLUDED.granted
                    ELSE GREATEST(0, LEAST(EXCLUDED.granted, EXCLUDED.quota - held.used)) END
            RETURNING organization_id, subject, policy, granted, used, EXTRACT(EPOCH FROM window_start)::bigint AS window_start,
                (EXTRACT(EPOCH FROM window_start - clock_timestamp()) + window_seconds)::float8 AS window_rest
            """,
            as: GrantRow.self
        )
        var grants: [Limit.Counter: LimitGrant] = [:]
        for row in rows { if let counter = counters[row.key] { grants[counter] = row.grant } }
        return grants
    }

    /// Puts unused units back into their window; where it has ended, they have ended with it.
    func giveBack(_ returns: [Return]) async throws {
        try await self.database.write(
            """
            WITH back AS (
                SELECT * FROM unnest(
                    \(returns.map(\.counter.subject.organizationID))::bigint[], \(returns.map(\.counter.subject.text))::text[],
                    \(returns.map(\.counter.policy.rawValue))::text[], \(returns.map(\.windowStart))::bigint[],
                    \(returns.map(\.units))::bigint[]
                ) AS back (organization_id, subject, policy, window_start, units)
            ), locked AS (
                SELECT held.organization_id, held.subject, held.policy, back.units
                FROM rate_limit_windows AS held JOIN back USING (organization_id, subject, policy)
                WHERE held.window_start = to_timestamp(back.window_start)
                ORDER BY organization_id, subject, policy
                FOR UPDATE OF held
            )
            UPDATE rate_limit_windows AS held SET used = GREATEST(0, held.used - locked.units)
            FROM locked
            WHERE (held.organization_id, held.subject, held.policy) = (locked.organization_id, locked.subject, locked.policy)
            """
        )
    }
}

/// A counter as the table names it.
private struct Key: Hashable {
    var organization: Int64
    var subject: String
    var policy: String

    init(_ counter: Limit.Counter) {
        self.organization = counter.subject.organizationID
        self.subject = counter.subject.text
        self.policy = counter.policy.rawValue
    }

    init(row: Row) throws {
        self.organization = try row.get("organization_id")
        self.subject = try row.get("subject")
        self.policy = try row.get("policy")
    }
}

private struct GrantRow: RowDecodable {
    var key: Key
    var grant: LimitGrant

    init(row: Row) throws {
        self.key = try Key(row: row)
        self.grant = LimitGrant(
            granted: try row.get("granted"),
            used: try row.get("used"),
            windowStart: try row.get("window_start"),
            windowRest: .seconds(try row.get("window_rest", as: Double.self))
        )
    }
}
