import Database
import Foundation
import Logging
import Models
import ServiceKit

/// Goes on with replays, a page at a time. A page's deliveries and the place that it came to are one transaction: a process that dies in between
/// has done the page or has not, and any other goes on from there.
struct ReplayWorker: Sendable {
    /// Events looked at in one page: fewer where few of them may be sent in a second.
    private static let page = 50...500
    /// Deliveries of a replay that may wait: a target that is slow or held up is not buried under the rest.
    private static let backlog = 2_000
    /// Seconds until a replay whose backlog is full is looked at again, and one whose subscription is paused.
    private static let (rest, longRest) = (0.5, 10.0)
    /// The pace of the fastest replays.
    static let poll = Duration.milliseconds(100)

    let database: Postgres
    let wake: WakeSignal
    /// Woken when deliveries were made.
    let due: WakeSignal
    let logger: Logger

    struct Due: RowDecodable, Sendable {
        var organizationID: OrganizationID
        var id: ReplayID

        init(row: Row) throws {
            self.organizationID = try row.get("organization_id")
            self.id = try row.get("id")
        }
    }

    func loop() -> WorkLoop<Due> {
        WorkLoop(
            "replays",
            wake: self.wake,
            poll: Self.poll,
            concurrency: 2,
            logger: self.logger,
            claim: { limit in try await self.claim(limit) },
            work: { due in try await self.work(due) }
        )
    }

    /// No lease: a page holds its replay's row, and another process passes over it.
    func claim(_ limit: Int) async throws -> [Due] {
        try await self.database.read(
            """
            SELECT organization_id, id FROM replays WHERE state = 'running' AND next_step_at <= now() ORDER BY next_step_at LIMIT \(limit)
            """
        )
    }

    private func work(_ due: Due) async throws {
        // Its next page has a time of its own; until then the place is another replay's.
        if try await self.step(due.id, in: due.organizationID) == 0 { self.wake.wakeHere() }
    }

    /// - Returns: seconds until the next page, or nil where there is none to do here.
    @discardableResult
    func step(_ id: ReplayID, in organization: OrganizationID) async throws -> Double? {
        try await self.database.transaction { transaction in
            let held = try transaction.first(
                """
                SELECT \(raw: Replay.columns) FROM replays
                WHERE organization_id = \(organization) AND id = \(id) AND state = 'running' AND next_step_at <= now()
                FOR UPDATE SKIP LOCKED
                """,
                as: Replay.self
            )
            guard let replay = held else { return nil }
            let waiting = try transaction.first(
                """
                SELECT count(*) FROM (
                    SELECT FROM deliveries WHERE organization_id = \(organization) AND replay_id = \(id) LIMIT \(Self.backlog)
                ) AS waiting
                """,
                as: Int.self
            )
            if waiting ?? 0 >= Self.backlog { return try self.putOff(replay, in: organization, transaction) }
            let events = min(max(replay.rate, Self.page.lowerBound), Self.page.upperBound)
            let page = try ReplayPage(replay, events: events, in: organization, transaction)
            switch page {
            case nil:
                try self.end(replay, in: organization, transaction)
                return nil
            case let page?:
                if page.made > 0 { try transaction.notify(self.due.channel) }
                let wait = Double(page.made) / Double(replay.rate)
                try self.advance(replay, page, by: wait, in: organization, transaction)
                return page.isLast ? nil : wait
            }
        }
    }

    private func putOff(_ replay: Replay, in organization: OrganizationID, _ transaction: Transaction) throws -> Double? {
        try transaction.first(
            """
            WITH wait AS (
                SELECT CASE WHEN paused_at IS NULL THEN \(Self.rest) ELSE \(Self.longRest) END AS seconds
                FROM zapier_webhooks WHERE organization_id = \(organization) AND id = \(replay.subscriptionID)
            )
            UPDATE replays SET next_step_at = now() + make_interval(secs => wait.seconds)
            FROM wait
            WHERE organization_id = \(organization) AND id = \(replay.id)
            RETURNING wait.seconds
            """
        )
    }

    private func advance(
        _ replay: Replay,
        _ page: ReplayPage,
        by wait: Double,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws {
        try transaction.write(
            """
            UPDATE replays
            SET cursor = \(page.cursor), looked_at = looked_at + \(page.lookedAt), made = made + \(page.made),
                next_step_at = now() + make_interval(secs => \(wait)),
                state = CASE WHEN \(page.isLast) THEN 'finished' ELSE state END,
                finished_at = CASE WHEN \(page.isLast) THEN now() END
            WHERE organization_id = \(organization) AND id = \(replay.id)
            """
        )
    }

    /// Its subscription takes nothing any more.
    private func end(_ replay: Replay, in organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.write(
            """
            UPDATE replays SET state = 'stopped', reason = 'subscription_ended', finished_at = now()
            WHERE organization_id = \(organization) AND id = \(replay.id)
            """
        )
    }
}
