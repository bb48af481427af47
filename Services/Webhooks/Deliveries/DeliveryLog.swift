import Database
import Models

/// What was delivered, what was not, and why: for reading.
struct DeliveryLog: Sendable {
    struct Filter: Sendable {
        var subscriptionID: SubscriptionID?
        var eventID: String?
        var state: DeliveryState?
    }

    let database: Postgres

    /// Newest first, one more than the page asks for.
    func list(_ page: PageRequest, _ filter: Filter, in organization: OrganizationID) async throws -> [Delivery] {
        let source: Query = filter.eventID.map { "event_deliveries(\(organization), \($0))" } ?? "delivery_log"
        var query: Query = """
            SELECT \(raw: Delivery.columns)
            FROM \(source)
            WHERE organization_id = \(organization) AND id < \(page.before ?? Int64.max)
            """
        if let id = filter.subscriptionID { query = query + " AND subscription_id = \(id)" }
        if let state = filter.state { query = query + " AND state = \(state)" }
        return try await self.database.read(query + " ORDER BY id DESC LIMIT \(page.limit + 1)")
    }

    private struct Detailed: RowDecodable {
        var delivery: Delivery
        var attempts: [Attempt]

        init(row: Row) throws {
            self.delivery = try Delivery(row: row)
            self.attempts = try AttemptHistory.attempts(try row.get("history"))
        }
    }

    /// The delivery with its attempts, oldest first.
    func find(_ id: DeliveryID, in organization: OrganizationID) async throws -> (Delivery, [Attempt])? {
        let found: Detailed? = try await self.database.readFirst(
            "SELECT \(raw: Delivery.columns), history FROM delivery_log WHERE organization_id = \(organization) AND id = \(id)"
        )
        return found.map { ($0.delivery, $0.attempts) }
    }

    /// Of one event, newest first, each with its attempts.
    func deliveries(of event: String, _ limit: Int, in organization: OrganizationID) async throws -> [(Delivery, [Attempt])] {
        let found: [Detailed] = try await self.database.read(
            """
            SELECT \(raw: Delivery.columns), history FROM event_deliveries(\(organization), \(event))
            ORDER BY id DESC LIMIT \(limit)
            """
        )
        return found.map { ($0.delivery, $0.attempts) }
    }
}
