import Database
import Models

/// Counts an organization's subscriptions, deliveries and events for the overview.
struct WebhookSummaryStore: Sendable {
    /// As many as the overview's feed of activity shows at most.
    static let eventsShown = 20

    let database: Postgres

    func summary(of organization: OrganizationID) async throws -> WebhooksSummary {
        async let subscriptions: WebhooksSummary.Subscriptions? = self.database.readFirst(
            """
            SELECT count(*) FILTER (WHERE ended_at IS NULL) AS active, count(*) FILTER (WHERE ended_reason = 'deleted') AS deleted,
                count(*) FILTER (WHERE ended_reason = 'gone') AS gone
            FROM zapier_webhooks WHERE organization_id = \(organization)
            """
        )
        async let deliveries = self.deliveries(of: organization)
        async let lastDay = self.lastDay(of: organization)
        async let newest: [EventBrief] = self.database.read(
            """
            SELECT id, type, occurred_at, data FROM events
            WHERE organization_id = \(organization) AND quarantine IS NULL
            ORDER BY id DESC LIMIT \(Self.eventsShown)
            """
        )
        guard let counted = try await subscriptions else { throw DatabaseAnswerMissing(statement: "subscription counts") }
        return try await WebhooksSummary(subscriptions: counted, deliveries: deliveries, lastDay: lastDay, newestEvents: newest)
    }

    /// Each from its partial index: what succeeded, which is most, is not read.
    private func deliveries(of organization: OrganizationID) async throws -> WebhooksSummary.Deliveries {
        let counted: WebhooksSummary.Deliveries? = try await self.database.readFirst(
            """
            SELECT
                (SELECT count(*) FROM deliveries WHERE organization_id = \(organization) AND state = 'pending') AS pending,
                (SELECT count(*) FROM deliveries WHERE organization_id = \(organization) AND state = 'delivering') AS delivering,
                (SELECT count(*) FROM settled_deliveries WHERE organization_id = \(organization) AND state = 'dead') AS dead
            """
        )
        guard let counted else { throw DatabaseAnswerMissing(statement: "delivery counts") }
        return counted
    }

    /// An event's id begins with its time in milliseconds (UUIDv7), so that a day of events is a range of ids. Their deliveries are settled in that
    /// day, too; an hour for clocks that differ.
    private func lastDay(of organization: OrganizationID) async throws -> WebhooksSummary.LastDay {
        let counted: WebhooksSummary.LastDay? = try await self.database.readFirst(
            """
            WITH day AS MATERIALIZED (
                SELECT 'evt_' || lpad(to_hex(((extract(epoch FROM now()) - 86400) * 1000)::bigint), 12, '0') AS first_id
            )
            SELECT made.events, made.quarantined, brought.succeeded, brought.dead, brought.open
            FROM (
                SELECT count(*) AS events, count(*) FILTER (WHERE quarantine <> 'test') AS quarantined FROM events
                WHERE organization_id = \(organization) AND id >= (SELECT first_id FROM day)
            ) AS made
            CROSS JOIN (
                SELECT count(*) FILTER (WHERE state = 'succeeded') AS succeeded, count(*) FILTER (WHERE state = 'dead') AS dead,
                    count(*) FILTER (WHERE state IN ('pending', 'delivering')) AS open
                FROM delivery_log
                WHERE organization_id = \(organization) AND event_id >= (SELECT first_id FROM day)
                    AND (settled_at IS NULL OR settled_at >= now() - interval '25 hours')
            ) AS brought
            """
        )
        guard let counted else { throw DatabaseAnswerMissing(statement: "counts of the last day") }
        return counted
    }
}

extension WebhooksSummary.Subscriptions: RowDecodable {
    init(row: Row) throws {
        self.init(active: try row.get("active"), deleted: try row.get("deleted"), gone: try row.get("gone"))
    }
}

extension WebhooksSummary.Deliveries: RowDecodable {
    init(row: Row) throws {
        self.init(pending: try row.get("pending"), delivering: try row.get("delivering"), dead: try row.get("dead"))
    }
}

extension WebhooksSummary.LastDay: RowDecodable {
    init(row: Row) throws {
        self.init(
            events: try row.get("events"),
            quarantined: try row.get("quarantined"),
            succeeded: try row.get("succeeded"),
            dead: try row.get("dead"),
            open: try row.get("open")
        )
    }
}

extension EventBrief: RowDecodable {
    init(row: Row) throws {
        self.init(
            id: try row.get("id"),
            type: try row.get("type"),
            timestamp: try row.get("occurred_at"),
            data: try row.get("data")
        )
    }
}
