import Database
import Models

struct SubscriptionStore: Sendable {
    let database: Postgres
    let vault: SubscriptionVault

    /// Stores the subscription with its target and secret sealed.
    func insert(
        _ new: NewSubscription,
        secret: WebhookSecret,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws -> Subscription {
        // The id comes first: the sealed columns are bound to it.
        guard
            let number = try transaction.first("SELECT nextval(pg_get_serial_sequence('zapier_webhooks', 'id')) AS id", as: Int64.self)
        else { throw DatabaseAnswerMissing(statement: "subscription id") }
        let id = SubscriptionID(number)
        let stored = try transaction.first(
            """
            INSERT INTO zapier_webhooks (organization_id, id, event_types, description, display_url, target_url, secret)
            VALUES (
                \(organization), \(id), \(new.eventTypes.map(\.rawValue))::text[], \(new.description),
                \(NewSubscription.displayURL(of: new.targetURL.reveal())),
                \(try self.vault.seal(new.targetURL, .targetURL, of: id, in: organization)),
                \(try self.vault.seal(secret.text, .secret, of: id, in: organization))
            )
            RETURNING \(raw: Subscription.columns)
            """,
            as: Subscription.self
        )
        guard let stored else { throw DatabaseAnswerMissing(statement: "subscription insert") }
        return stored
    }

    func find(_ id: SubscriptionID, in organization: OrganizationID) async throws -> Subscription? {
        try await self.database.readFirst(
            """
            SELECT \(raw: Subscription.columns)
            FROM zapier_webhooks
            WHERE organization_id = \(organization) AND id = \(id) AND ended_at IS NULL
            """
        )
    }

    /// Newest first, one more than the page asks for.
    func list(_ page: PageRequest, in organization: OrganizationID) async throws -> [Subscription] {
        try await self.database.read(
            """
            SELECT \(raw: Subscription.columns)
            FROM zapier_webhooks
            WHERE organization_id = \(organization) AND ended_at IS NULL AND id < \(page.before ?? Int64.max)
            ORDER BY id DESC
            LIMIT \(page.limit + 1)
            """
        )
    }

    /// Why a subscription came to its end.
    enum End: String, Sendable {
        /// A member, a key or Zapier unsubscribed.
        case deleted
        /// The target answered 410.
        case gone
    }

    /// Also one that has ended.
    static func known(_ id: SubscriptionID, in organization: OrganizationID, _ transaction: Transaction) throws -> Subscription? {
        try transaction.first(
            "SELECT \(raw: Subscription.columns) FROM zapier_webhooks WHERE organization_id = \(organization) AND id = \(id)"
        )
    }

    /// Ends the subscription and wipes its credentials.
    /// - Returns: false where there was none.
    static func end(
        _ id: SubscriptionID,
        in organization: OrganizationID,
        because reason: End,
        _ transaction: Transaction
    ) throws -> Bool {
        let ended = try transaction.write(
            """
            UPDATE zapier_webhooks
            SET ended_at = now(), ended_reason = \(reason.rawValue), target_url = NULL, secret = NULL
            WHERE organization_id = \(organization) AND id = \(id) AND ended_at IS NULL
            """
        )
        return ended > 0
    }
}
