import Database
import Models

/// One claimed entry of the outbox.
struct OutboxEntry: RowDecodable {
    var organizationID: OrganizationID
    var id: String
    var body: JSONValue
    var attempts: Int
    var fence: Int64

    init(row: Row) throws {
        self.organizationID = try row.get("organization_id")
        self.id = try row.get("id")
        self.body = try row.get("body")
        self.attempts = try row.get("attempts")
        self.fence = try row.get("fence")
    }
}

struct OutboxStore: Sendable {
    let database: Postgres

    /// Takes due entries for one destination, oldest first, for as long as the lease.
    func claim(_ destination: ServiceName, limit: Int, lease: Duration) async throws -> [OutboxEntry] {
        try await self.database.write(
            """
            UPDATE outbox
            SET not_before = now() + \(lease.inSeconds) * interval '1 second', fence = outbox.fence + 1, attempts = outbox.attempts + 1
            FROM (
                SELECT organization_id, id
                FROM outbox
                WHERE destination = \(destination.rawValue) AND state = 'pending' AND not_before <= now()
                ORDER BY id
                LIMIT \(limit)
                FOR UPDATE SKIP LOCKED
            ) AS due
            WHERE outbox.organization_id = due.organization_id AND outbox.id = due.id
            RETURNING outbox.organization_id, outbox.id, outbox.body, outbox.attempts, outbox.fence
            """,
            as: OutboxEntry.self
        )
    }

    /// Delivered is delivered, whoever holds the lease by now: no fence is asked for.
    func delete(_ entries: [OutboxEntry]) async throws {
        try await self.database.write(
            """
            DELETE FROM outbox
            USING unnest(\(entries.map(\.organizationID))::bigint[], \(entries.map(\.id))::text[]) AS done (organization_id, id)
            WHERE outbox.organization_id = done.organization_id AND outbox.id = done.id
            """
        )
    }

    /// Gives claims back, to be taken again after a pause.
    func postpone(_ entries: [OutboxEntry], by pause: Duration) async throws {
        try await self.database.write(
            """
            UPDATE outbox
            SET not_before = now() + \(pause.inSeconds) * interval '1 second'
            FROM unnest(\(entries.map(\.organizationID))::bigint[], \(entries.map(\.id))::text[], \(entries.map(\.fence))::bigint[])
                AS held (organization_id, id, fence)
            WHERE outbox.organization_id = held.organization_id AND outbox.id = held.id AND outbox.fence = held.fence
            """
        )
    }

    /// Sets an entry aside that its receiver will never take.
    func park(_ entry: OutboxEntry, reason: String) async throws {
        try await self.database.write(
            """
            UPDATE outbox
            SET state = 'refused', reason = \(reason)
            WHERE organization_id = \(entry.organizationID) AND id = \(entry.id) AND fence = \(entry.fence)
            """
        )
    }

    /// Entries waiting for delivery and entries set aside, for the metrics.
    func counts() async throws -> (pending: Int, refused: Int) {
        let row = try await self.database.readFirst(
            """
            SELECT count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'refused') AS refused
            FROM outbox
            """,
            as: OutboxCounts.self
        )
        return (row?.pending ?? 0, row?.refused ?? 0)
    }
}

private struct OutboxCounts: RowDecodable {
    var pending: Int
    var refused: Int

    init(row: Row) throws {
        self.pending = try row.get("pending")
        self.refused = try row.get("refused")
    }
}

extension Duration {
    /// As Postgres multiplies an interval.
    package var inSeconds: Double {
        Double(self.components.seconds) + Double(self.components.attoseconds) / 1e18
    }
}
