import Database
import Foundation
import Models

/// The event log as a feed: in the order in which events came in, which is not that of their ids. A position never comes to light after a later
/// one, so whoever reads on from the last position that he saw misses nothing.
struct EventFeed: Sendable {
    let database: Postgres

    struct Entry: RowDecodable, Sendable {
        var position: Int64
        var event: Event

        init(row: Row) throws {
            self.position = try row.get("position")
            self.event = try Event(row: row)
        }
    }

    /// Oldest first, one more than the limit; none that was kept back from subscribers.
    func after(_ position: Int64, _ limit: Int, types: [EventType], in organization: OrganizationID) async throws -> [Entry] {
        var query: Query = """
            SELECT position, id, type, occurred_at, data FROM events
            WHERE organization_id = \(organization) AND position > \(position) AND quarantine IS NULL
            """
        if !types.isEmpty { query += " AND type = ANY (\(types.map(\.rawValue))::text[])" }
        return try await self.database.read(query + " ORDER BY position LIMIT \(limit + 1)")
    }

    /// Where the feed stands now: a reader that begins here sees what comes from now on.
    func end(in organization: OrganizationID) async throws -> Int64 {
        try await self.database.readFirst("SELECT position FROM event_heads WHERE organization_id = \(organization)") ?? 0
    }
}
