import Database
import Models

/// What was delivered, what was not, and why: for reading.
struct DeliveryLog: Sendable {
    struct Filter: Sendable {
        var subscriptionID: SubscriptionID?
        var eventID: String?
        var state: DeliveryState?
    }

    /// Attempts shown of one delivery, the latest.
    static let attemptsShown = 100

    let database: Postgres

    /// Newest first, one more than the page asks for.
    func list(_ page: PageRequest, _ filter: Filter, in organization: OrganizationID) async throws -> [Delivery] {
        var query: Query = """
            SELECT \(raw: Delivery.columns)
            FROM deliveries
            WHERE organization_id = \(organization) AND id < \(page.before ?? Int64.max)
            """
        if let id = filter.subscriptionID { query = query + " AND subscription_id = \(id)" }
        if let id = filter.eventID { query = query + " AND event_id = \(id)" }
        if let state = filter.state { query = query + " AND state = \(state)" }
        return try await self.database.read(query + " ORDER BY id DESC LIMIT \(page.limit + 1)")
    }

    /// The delivery with its attempts, oldest first.
    func find(_ id: DeliveryID, in organization: OrganizationID) async throws -> (Delivery, [Attempt])? {
        let delivery: Delivery? = try await self.database.readFirst(
            "SELECT \(raw: Delivery.columns) FROM deliveries WHERE organization_id = \(organization) AND id = \(id)"
        )
        guard let delivery else { return nil }
        let attempts: [Attempt] = try await self.database.read(
            """
            SELECT \(raw: Attempt.columns)
            FROM attempts
            WHERE organization_id = \(organization) AND delivery_id = \(id)
            ORDER BY number DESC
            LIMIT \(Self.attemptsShown)
            """
        )
        return (delivery, attempts.reversed())
    }
}
