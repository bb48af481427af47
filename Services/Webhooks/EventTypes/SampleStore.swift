import Database
import Models

/// What an organization's events of a type look like.
struct SampleStore: Sendable {
    let database: Postgres

    /// Events that are shown at most.
    private static let count = 3
    /// Events of all types that are looked at: a bounded look back needs no index that each event would have to pay for.
    private static let looksAt = 5_000

    /// Newest first; none that was kept back.
    func recent(_ type: EventType, in organization: OrganizationID) async throws -> [Event] {
        try await self.database.read(
            """
            SELECT id, type, occurred_at, data
            FROM (
                SELECT id, type, occurred_at, data, quarantine FROM events
                WHERE organization_id = \(organization) ORDER BY id DESC LIMIT \(Self.looksAt)
            ) AS recent
            WHERE type = \(type.rawValue) AND quarantine IS NULL
            ORDER BY id DESC LIMIT \(Self.count)
            """
        )
    }
}

extension Event: RowDecodable {
    init(row: Row) throws {
        self.init(id: try row.get("id"), type: try row.get("type"), timestamp: try row.get("occurred_at"), data: try row.get("data"))
    }
}
