import Database
import Models
import ServiceKit

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
    /// Policies of which a crossing of 80 or 100 % is told: hourly ones that are enforced.
    var watched: [LimitPolicy] = [.hour, .organization]
    /// Told in the same statement when there is a crossing.
    var crossingWake = WakeSignal.channel(Self.crossingWakeName)

    static let crossingWakeName = "gateway_quota"

    /// Grants of the current windows, each as much of the lot as is left of its limit. One statement: however many replicas ask at once, never more
    /// than the limit is granted in a window. Rows are locked in one order, so that two such statements do not wait for each other.
    ///
    /// The same statement notes which thresholds it crosses, once in a window, since the row that it holds says what was granted before it. What
    /// counts is what is granted and was not given back: the only number that all replicas share. It runs ahead of what is used by the lots that
    /// replicas hold, a hundredth of the limit each at most; in the last twentieth, as far as a replica has heard of it, only what is waited for is
    /// granted, so that 100 % is close to the truth. A limit that is lowered to between 80 and 100 % of what is granted is told of at 100 %.
    func grant(_ questions: [Question]) async throws -> [Limit.Counter: LimitGrant] {
        let counters = Dictionary(questions.map { (Key($0.limit.counter), $0.limit.counter) }, uniquingKeysWith: { first, _ in first })
        let rows = try await self.database.write(
            """
            WITH answered AS (
                INSERT INTO rate_limit_windows AS held
                    (organization_id, subject, policy, window_seconds, window_start, quota, used, granted)
                SELECT organization_id, subject, policy, seconds,
                    to_timestamp(FLOOR(EXTRACT(EPOCH FROM clock_timestamp()) / seconds) * seconds), quota, LEAST(wanted, quota), LEAST(wanted, quota)
                FROM unnest(
                    \(questions.map { $0.limit.subject.organizationID })::bigint[], \(questions.map { $0.limit.subject.text })::text[],
                    \(questions.map { $0.limit.policy.rawValue })::text[], \(questions.map { $0.limit.policy.windowSeconds })::integer[],
                    \(questions.map { $0.limit.units })::bigint[], \(questions.map { $0.wanted })::bigint[]
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
                RETURNING organization_id, subject, policy, quota, granted, used, window_start,
                    (EXTRACT(EPOCH FROM window_start - clock_timestamp()) + window_seconds)::float8 AS window_rest
            ), crossed AS (
                INSERT INTO quota_crossings (organization_id, subject, policy, window_start, threshold, quota, used)
                SELECT organization_id, subject, policy, window_start, CASE WHEN used >= quota THEN 100 ELSE 80 END, quota, used
                FROM answered
                WHERE used * 5 >= quota * 4 AND policy = ANY(\(self.watched)::text[])
                    AND (used >= quota OR (used - granted) * 5 < quota * 4)
                ON CONFLICT DO NOTHING
                RETURNING pg_notify(\(self.crossingWake), '') AS told
            )
            SELECT organization_id, subject, policy, granted, used, EXTRACT(EPOCH FROM window_start)::bigint AS window_start, window_rest
            FROM answered
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
                    \(returns.map { $0.counter.subject.organizationID })::bigint[], \(returns.map { $0.counter.subject.text })::text[],
                    \(returns.map { $0.counter.policy.rawValue })::text[], \(returns.map { $0.windowStart })::bigint[],
                    \(returns.map { $0.units })::bigint[]
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
