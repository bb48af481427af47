import Database
import Foundation
import Models

/// The rows of replays, for routes.
struct ReplayStore: Sendable {
    /// Events are not counted beyond this: the estimate of a longer replay is of its first million.
    private static let countsTo = 1_000_000
    /// Replays of an organization that run or are paused.
    static let most: Int64 = 20

    let database: Postgres

    /// - Throws: 409 where as many run as may. Others that make one at this moment wait.
    private static func checkRoom(in organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.write("SELECT pg_advisory_xact_lock(hashtextextended('webhooks_replays', \(organization)))")
        let running = try transaction.first(
            "SELECT count(*) FROM replays WHERE organization_id = \(organization) AND state IN ('running', 'paused')",
            as: Int64.self
        )
        guard running ?? 0 < Self.most else {
            throw Problem(.conflict, "\(Self.most) replays of the organization run or are paused, the most there may be at once.")
        }
    }

    /// - Throws: 409 where as many run as may.
    func insert(_ new: NewReplay, in organization: OrganizationID, _ transaction: Transaction) throws -> Replay {
        try Self.checkRoom(in: organization, transaction)
        let (first, end) = (EventIDTime.firstID(at: new.from), EventIDTime.firstID(at: new.to))
        let made = try transaction.first(
            """
            INSERT INTO replays (organization_id, subscription_id, from_time, to_time, which, filter, rate, cursor, end_id, end_position, total)
            VALUES (
                \(organization), \(new.subscriptionID), \(new.from), \(new.to), \(new.scope), \(new.filter), \(new.rate), \(first), \(end),
                coalesce((SELECT position FROM event_heads WHERE organization_id = \(organization)), 0),
                (
                    SELECT count(*) FROM (
                        SELECT FROM events WHERE organization_id = \(organization) AND id > \(first) AND id < \(end) AND quarantine IS NULL
                        LIMIT \(Self.countsTo)
                    ) AS counted
                )
            )
            RETURNING \(raw: Replay.columns)
            """,
            as: Replay.self
        )
        guard let made else { throw DatabaseAnswerMissing(statement: "replay insert") }
        return made
    }

    func list(_ page: PageRequest, in organization: OrganizationID) async throws -> [Replay] {
        try await self.database.read(
            """
            SELECT \(raw: Replay.columns) FROM replays
            WHERE organization_id = \(organization) AND id < \(page.before ?? Int64.max)
            ORDER BY id DESC LIMIT \(page.limit + 1)
            """
        )
    }

    func find(_ id: ReplayID, in organization: OrganizationID) async throws -> (Replay, ReplayProgress)? {
        async let found: Replay? = self.database.readFirst(
            "SELECT \(raw: Replay.columns) FROM replays WHERE organization_id = \(organization) AND id = \(id)"
        )
        async let progress: ReplayProgress? = self.database.readFirst(
            """
            SELECT
                (SELECT count(*) FROM deliveries WHERE organization_id = \(organization) AND replay_id = \(id)) AS waiting,
                count(*) FILTER (WHERE state = 'succeeded') AS succeeded, count(*) FILTER (WHERE state = 'dead') AS dead
            FROM settled_deliveries WHERE organization_id = \(organization) AND replay_id = \(id)
            """
        )
        guard let replay = try await found, let told = try await progress else { return nil }
        return (replay, told)
    }

    /// - Returns: nil where there is none.
    func lock(_ id: ReplayID, in organization: OrganizationID, _ transaction: Transaction) throws -> Replay? {
        try transaction.first(
            "SELECT \(raw: Replay.columns) FROM replays WHERE organization_id = \(organization) AND id = \(id) FOR UPDATE"
        )
    }

    func setState(_ state: ReplayState, of id: ReplayID, in organization: OrganizationID, _ transaction: Transaction) throws -> Replay {
        let changed = try transaction.first(
            """
            UPDATE replays
            SET state = \(state), next_step_at = now(), finished_at = CASE WHEN \(state == .cancelled) THEN now() END
            WHERE organization_id = \(organization) AND id = \(id)
            RETURNING \(raw: Replay.columns)
            """,
            as: Replay.self
        )
        guard let changed else { throw DatabaseAnswerMissing(statement: "replay state") }
        return changed
    }

    /// What a cancelled replay has waiting: at most a backlog. What waited behind it for its turn goes on; event heads must be locked.
    /// - Returns: how many that were.
    @discardableResult
    static func callOff(_ replay: Replay, in organization: OrganizationID, _ transaction: Transaction) throws -> Int {
        let waiting: Query = "organization_id = \(organization) AND replay_id = \(replay.id) AND state = 'pending'"
        let keys = try transaction.rows(
            "SELECT DISTINCT ordering_key FROM deliveries WHERE \(waiting) AND ordering_key IS NOT NULL",
            as: String.self
        )
        let count = try transaction.write(SettledRows.calledOff(waiting, because: .cancelled))
        let key = EndpointKey(organizationID: organization, subscriptionID: replay.subscriptionID)
        let lanes = keys.map { OrderedLane(key: key, orderingKey: $0) }
        if !lanes.isEmpty { try OrderedLane.promote(lanes, after: 0, transaction) }
        return count
    }
}
