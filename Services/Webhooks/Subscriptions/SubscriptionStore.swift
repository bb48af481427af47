import Database
import Models

struct SubscriptionStore: Sendable {
    let database: Postgres
    let vault: SubscriptionVault

    /// Subscriptions that an organization may have: each event is held against all of them, and each claim looks at those with something waiting.
    static let most = 1_000

    /// - Throws: 409 where the organization has as many as it may. Others that make one at this moment wait.
    private static func checkRoom(in organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.write("SELECT pg_advisory_xact_lock(hashtextextended('webhooks_subscriptions', \(organization)))")
        let count = try transaction.first(
            """
            SELECT count(*) FROM (
                SELECT FROM zapier_webhooks WHERE organization_id = \(organization) AND ended_at IS NULL LIMIT \(Self.most)
            ) AS taken
            """,
            as: Int.self
        )
        guard count ?? 0 < Self.most else {
            throw Problem(.conflict, "The organization has \(Self.most) subscriptions, the most there may be; delete one first.")
        }
    }

    /// Stores the subscription with its target and secret sealed.
    /// - Throws: 409 where there may be no more.
    func insert(
        _ new: NewSubscription,
        secret: WebhookSecret,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws -> Subscription {
        try Self.checkRoom(in: organization, transaction)
        // The id comes first: the sealed columns are bound to it.
        guard
            let number = try transaction.first("SELECT nextval(pg_get_serial_sequence('zapier_webhooks', 'id')) AS id", as: Int64.self)
        else { throw DatabaseAnswerMissing(statement: "subscription id") }
        let id = SubscriptionID(number)
        let options = new.options
        let stored = try transaction.first(
            """
            INSERT INTO zapier_webhooks (organization_id, id, event_types, description, display_url, target_url, secret, filter,
                payload_template, header_names, headers, ordering_key, rate_limit, timeout_seconds, retry_waits, signatures)
            VALUES (
                \(organization), \(id), \(new.eventTypes.map(\.rawValue))::text[], \(new.description),
                \(NewSubscription.displayURL(of: new.targetURL.reveal())),
                \(try self.vault.seal(new.targetURL, .targetURL, of: id, in: organization)),
                \(try self.vault.seal(secret.text, .secret, of: id, in: organization)),
                \(options.filter), \(options.template), \(options.headerNames)::text[],
                \(try self.sealed(new.headers, of: id, in: organization)), \(options.orderingKey), \(options.rateLimit),
                \(options.timeoutSeconds), \(options.retryWaits)::double precision[], \(options.signatures.map(\.rawValue))::text[]
            )
            RETURNING \(raw: Subscription.columns)
            """,
            as: Subscription.self
        )
        guard let stored else { throw DatabaseAnswerMissing(statement: "subscription insert") }
        try transaction.write(EndpointStateStore.insert(id, in: organization))
        return stored
    }

    /// nil where there are none.
    func sealed(_ headers: [CustomHeader], of id: SubscriptionID, in organization: OrganizationID) throws -> [UInt8]? {
        headers.isEmpty ? nil : try self.vault.seal(CustomHeader.sealable(headers), .headers, of: id, in: organization)
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
            SET ended_at = now(), ended_reason = \(reason.rawValue), target_url = NULL, secret = NULL, previous_secret = NULL,
                previous_secret_until = NULL, headers = NULL, revision = revision + 1, swept_at = NULL
            WHERE organization_id = \(organization) AND id = \(id) AND ended_at IS NULL
            """
        )
        return ended > 0
    }

    /// The house stops calling the target; a member may enable it again.
    /// - Returns: false where there is none, or it was disabled before.
    static func disable(
        _ id: SubscriptionID,
        in organization: OrganizationID,
        because reason: String,
        _ transaction: Transaction
    ) throws -> Bool {
        let disabled = try transaction.write(
            """
            UPDATE zapier_webhooks
            SET disabled_at = now(), disabled_reason = \(reason), revision = revision + 1, swept_at = NULL
            WHERE organization_id = \(organization) AND id = \(id) AND ended_at IS NULL AND disabled_at IS NULL
            """
        )
        return disabled > 0
    }
}
