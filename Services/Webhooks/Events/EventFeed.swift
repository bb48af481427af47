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

    /// What lies behind a position.
    struct Stretch: Sendable {
        /// Oldest first; none that was kept back from subscribers.
        var entries: [Entry]
        /// Where the next reading begins.
        var next: Int64
        var hasMore: Bool
    }

    /// Positions that one reading goes through: a type that hardly ever comes is looked for in steps, each of which gets further.
    static let longestStretch: Int64 = 10_000

    private struct Bounds: RowDecodable {
        var head: Int64
        /// The oldest that is still there; nil where nothing is.
        var first: Int64?

        init(row: Row) throws {
            self.head = try row.get("head")
            self.first = try row.get("first")
        }
    }

    /// - Throws: a validation ``Problem`` for a position that the log has not come to: it is of another log.
    func after(_ position: Int64, _ limit: Int, types: [EventType], in organization: OrganizationID) async throws -> Stretch {
        // The head comes first: what lies up to it has been committed when the events are read.
        let bounds: Bounds? = try await self.database.readFirst(
            """
            SELECT position AS head, (
                SELECT position FROM events WHERE organization_id = \(organization) AND position > \(position) ORDER BY position LIMIT 1
            ) AS first
            FROM event_heads WHERE organization_id = \(organization)
            """
        )
        guard position <= bounds?.head ?? 0 else {
            throw Problem.validation([Problem.Fault(pointer: "?after", detail: "is beyond the end of this log: a cursor of another")])
        }
        guard let bounds, let first = bounds.first else { return Stretch(entries: [], next: position, hasMore: false) }
        let last = min(bounds.head, first + Self.longestStretch - 1)
        var query: Query = """
            SELECT position, id, type, occurred_at, data FROM events
            WHERE organization_id = \(organization) AND position > \(position) AND position <= \(last) AND quarantine IS NULL
            """
        if !types.isEmpty { query += " AND type = ANY (\(types.map(\.rawValue))::text[])" }
        let entries: [Entry] = try await self.database.read(query + " ORDER BY position LIMIT \(limit + 1)")
        if entries.count > limit {
            let page = Array(entries.dropLast())
            return Stretch(entries: page, next: page.last?.position ?? position, hasMore: true)
        }
        return Stretch(entries: entries, next: last, hasMore: last < bounds.head)
    }

    /// Where the feed stands now: a reader that begins here sees what comes from now on.
    func end(in organization: OrganizationID) async throws -> Int64 {
        try await self.database.readFirst("SELECT position FROM event_heads WHERE organization_id = \(organization)") ?? 0
    }
}
