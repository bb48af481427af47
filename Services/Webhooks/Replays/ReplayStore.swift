import Database
import Foundation
import Models

/// The rows of replays, for routes.
struct ReplayStore: Sendable {
    /// Events are not counted beyond this: the estimate of a longer replay is of its first million.
    private static let countsTo = 1_000_000

    let database: Postgres

    func insert(_ new: NewReplay, in organization: OrganizationID, _ transaction: Transaction) throws -> Replay {
        let (first, end) = (EventIDTime.firstID(at: new.from), EventIDTime.firstID(at: new.to))
        let made = try transaction.first(
            """
            INSERT INTO replays (organization_id, subscription_id, from_time, to_time, which, filter, rate, cursor, end_id, end_position, total)
            VALUES (
                \(organization), \(new.subscriptionID), \(new.from), \(new.to), \(new.scope), \(new.filter), \(new.rate), \(first), \(end),
                coalesce((SELECT position FROM event_heads WHERE organization_id = \(organization)), 0),
                (
                    SELECT count(*) FROM (
                        SELECT FROM events WHERE organization_id = \(organization) AND id > \(first) AND id < \(end) LIMIT \(Self.countsTo)
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

    /// What a cancelled replay has waiting: at most a backlog.
    static func callOff(_ id: ReplayID, in organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.write(
            SettledRows.calledOff("organization_id = \(organization) AND replay_id = \(id) AND state = 'pending'", because: .cancelled)
        )
    }
}
