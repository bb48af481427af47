import Database
import Models

/// A window of a policy as the database keeps it.
struct LimitWindow: RowDecodable, Equatable {
    var used: Int64
    var resetAfter: Int64
    var resetAt: Int64

    init(row: Row) throws {
        self.used = try row.get("used")
        self.resetAfter = try row.get("reset_after")
        self.resetAt = try row.get("reset_at")
    }
}

struct RateLimitStore: Sendable {
    let database: Postgres

    /// Grants `units` of the current window, all or none: one statement, so that however many replicas ask at once, never more than
    /// `limit` are granted. nil where they are not left.
    func grant(_ units: Int64, from quota: Quota, for key: APIKeyID, of organization: OrganizationID) async throws -> LimitWindow? {
        try await self.database.writeFirst(
            """
            INSERT INTO rate_limit_windows AS held (organization_id, key_id, policy, window_start, used)
            SELECT \(organization)::bigint, \(key)::bigint, \(quota.policy)::text, \(Self.currentWindow), \(units)::bigint
            WHERE \(units)::bigint <= \(quota.limit)::bigint
            ON CONFLICT (organization_id, key_id, policy, window_start)
            DO UPDATE SET used = held.used + EXCLUDED.used
            WHERE held.used + EXCLUDED.used <= \(quota.limit)::bigint
            RETURNING used, \(Self.reset)
            """,
            as: LimitWindow.self
        )
    }

    /// The current window, also where nothing was taken from it yet.
    func window(of quota: Quota, for key: APIKeyID, of organization: OrganizationID) async throws -> LimitWindow? {
        try await self.database.readFirst(
            """
            SELECT COALESCE(
                (
                    SELECT held.used FROM rate_limit_windows AS held
                    WHERE held.organization_id = \(organization) AND held.key_id = \(key) AND held.policy = \(quota.policy)
                        AND held.window_start = present.window_start
                ), 0) AS used, \(Self.reset)
            FROM (SELECT \(Self.currentWindow) AS window_start) AS present
            """,
            as: LimitWindow.self
        )
    }

    private static let currentWindow: Query = "date_bin('1 hour', now(), TIMESTAMPTZ '2000-01-01 00:00:00+00')"

    private static let reset: Query = """
        GREATEST(1, CEIL(EXTRACT(EPOCH FROM window_start + INTERVAL '1 hour' - clock_timestamp())))::bigint AS reset_after,
        EXTRACT(EPOCH FROM window_start + INTERVAL '1 hour')::bigint AS reset_at
        """
}
