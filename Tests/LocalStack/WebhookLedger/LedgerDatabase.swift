import Foundation

/// What the service's database says of a run.
struct LedgerDatabase: Sendable {
    struct Counts: Sendable {
        var stored = 0
        var waiting = 0
        var succeeded = 0
        var dead = 0
    }

    let postgres: PostgresCluster

    /// A delivery in the hands of one worker: a later claim has another fence.
    struct Claim: Hashable, Sendable {
        var event: String
        var fence: String
    }

    /// Deliveries that are under way: claimed, and not settled by any transaction.
    func claims() async throws -> Set<Claim> {
        let rows = try await self.rows("SELECT event_id, fence FROM webhooks.deliveries WHERE state = 'delivering'")
        return Set(rows.filter { $0.count == 2 }.map { Claim(event: $0[0], fence: $0[1]) })
    }

    /// Until nothing that the killed process had begun goes on: a commit that had left it still counts.
    func waitUntilAlone() async throws {
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = 'webhooks'"
        try await LocalWait.until("the sessions of the killed process to end", within: .seconds(20), every: .milliseconds(20)) {
            () -> Void? in try await self.rows(sessions) == [["0"]] ? () : nil
        }
    }

    func counts() async throws -> Counts {
        let rows = try await self.rows(
            """
            SELECT (SELECT count(*) FROM webhooks.events WHERE type = 'campaign_started'), (SELECT count(*) FROM webhooks.deliveries),
                count(*) FILTER (WHERE state = 'succeeded'), count(*) FILTER (WHERE state = 'dead')
            FROM webhooks.settled_deliveries
            """
        )
        let numbers = rows[0].compactMap { Int($0) }
        guard numbers.count == 4 else { return Counts() }
        return Counts(stored: numbers[0], waiting: numbers[1], succeeded: numbers[2], dead: numbers[3])
    }

    /// Events with fewer or more than one delivery.
    func misdelivered() async throws -> Int {
        let rows = try await self.rows(
            """
            SELECT count(*) FROM (
                SELECT FROM webhooks.events AS event LEFT JOIN webhooks.delivery_log AS delivery
                    ON delivery.organization_id = event.organization_id AND delivery.event_id = event.id
                WHERE event.type = 'campaign_started'
                GROUP BY event.organization_id, event.id HAVING count(delivery.id) <> 1
            ) AS wrong
            """
        )
        return rows.first.flatMap { Int($0[0]) } ?? 0
    }

    /// For people: what became of an event.
    func story(of id: String) async throws -> String {
        try await self.rows("SELECT state, attempts, history FROM webhooks.delivery_log WHERE event_id = '\(id)'")
            .map { $0.joined(separator: " ") }.joined(separator: "; ")
    }

    func rows(_ sql: String) async throws -> [[String]] {
        let text = try await self.postgres.psql(nil, ["-tA", "-F", "\t", "-c", sql])
        return text.split(separator: "\n").map { $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init) }
    }
}
