import Database
import Foundation
import Models

/// How a subscription's target did lately: its state, and figures from the log of deliveries.
struct EndpointHealthStore: Sendable {
    /// Deliveries that the figures are of, the newest without tests: as many as are read in a moment, however many there are.
    private static let looksAt = 1_000

    let database: Postgres

    /// nil where there is no such subscription.
    func report(_ id: SubscriptionID, in organization: OrganizationID) async throws -> EndpointReport? {
        async let subscription: Subscription? = self.database.readFirst(
            """
            SELECT \(raw: Subscription.columns) FROM zapier_webhooks
            WHERE organization_id = \(organization) AND id = \(id) AND ended_at IS NULL
            """
        )
        async let state: EndpointStateStore.Stored? = self.database.readFirst(
            """
            SELECT \(raw: EndpointStateStore.columns), now() AS now FROM endpoint_states
            WHERE organization_id = \(organization) AND subscription_id = \(id)
            """
        )
        async let figures: EndpointReport.Figures? = self.database.readFirst(
            """
            SELECT count(*) AS settled, count(*) FILTER (WHERE state = 'succeeded') AS succeeded,
                percentile_cont(0.5) WITHIN GROUP (ORDER BY last_duration_ms) FILTER (WHERE state = 'succeeded') AS p50,
                percentile_cont(0.95) WITHIN GROUP (ORDER BY last_duration_ms) FILTER (WHERE state = 'succeeded') AS p95,
                min(settled_at) AS since
            FROM (
                SELECT state, last_duration_ms, settled_at FROM settled_deliveries
                WHERE organization_id = \(organization) AND subscription_id = \(id) AND cause <> 'test'
                ORDER BY id DESC LIMIT \(Self.looksAt)
            ) AS recent
            """
        )
        async let waiting: Int? = self.database.readFirst(
            """
            SELECT count(*) FROM (
                SELECT FROM deliveries WHERE organization_id = \(organization) AND subscription_id = \(id) LIMIT \(EndpointReport.countsTo)
            ) AS waiting
            """
        )
        guard let known = try await subscription, let figures = try await figures else { return nil }
        let stored = try await state
        return EndpointReport(
            subscription: known,
            health: stored?.health ?? .sound,
            now: stored?.now ?? Date(),
            figures: figures,
            waiting: try await waiting ?? 0
        )
    }
}

/// `GET /api/v1/zapier/webhooks/{id}/health`.
struct EndpointReport: Encodable, Sendable {
    /// More that wait are not counted.
    static let countsTo = 100_000

    struct Figures: RowDecodable, Sendable {
        var settled: Int
        var succeeded: Int
        /// Milliseconds.
        var p50: Double?
        var p95: Double?
        var since: Date?

        init(row: Row) throws {
            self.settled = try row.get("settled")
            self.succeeded = try row.get("succeeded")
            self.p50 = try row.get("p50")
            self.p95 = try row.get("p95")
            self.since = try row.get("since")
        }
    }

    var subscription: Subscription
    var health: EndpointHealth
    var now: Date
    var figures: Figures
    /// Deliveries in the queue.
    var waiting: Int

    enum CodingKeys: String, CodingKey {
        case state, condition, waiting, settled, since
        case subscriptionID = "subscription_id"
        case successRate = "success_rate"
        case p50 = "p50_ms"
        case p95 = "p95_ms"
        case inFlightLimit = "in_flight_limit"
        case notBefore = "not_before"
        case failingSince = "failing_since"
        case lastError = "last_error"
        case disabledAt = "disabled_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.subscription.id, forKey: .subscriptionID)
        try container.encode(self.subscription.state.rawValue, forKey: .state)
        try container.encode(self.health.condition(at: self.now).rawValue, forKey: .condition)
        try container.encode(self.waiting, forKey: .waiting)
        try container.encode(self.figures.settled, forKey: .settled)
        try container.encode(self.figures.since, forKey: .since)
        let rate = self.figures.settled == 0 ? nil : Double(self.figures.succeeded) / Double(self.figures.settled)
        try container.encode(rate.map { ($0 * 10_000).rounded() / 10_000 }, forKey: .successRate)
        try container.encode(self.figures.p50.map { $0.rounded() }, forKey: .p50)
        try container.encode(self.figures.p95.map { $0.rounded() }, forKey: .p95)
        try container.encode(self.health.inFlightLimit, forKey: .inFlightLimit)
        try container.encode(self.health.notBefore > self.now ? self.health.notBefore : nil, forKey: .notBefore)
        try container.encode(self.health.failingSince, forKey: .failingSince)
        try container.encode(self.health.failingSince == nil ? nil : self.health.lastError, forKey: .lastError)
        try container.encode(self.subscription.disabledAt, forKey: .disabledAt)
    }
}
