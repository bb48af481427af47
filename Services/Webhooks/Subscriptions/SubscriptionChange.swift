import Database
import Encryption
import Models

/// What becomes of a subscription: every field as it will be.
struct SubscriptionChange: Sendable {
    var id: SubscriptionID
    /// nil: stays as it is.
    var targetURL: Secret?
    var eventTypes: [EventType]
    var description: String?
    var options: SubscriptionOptions
    /// nil: stay as they are.
    var headers: [CustomHeader]?

    init(_ subscription: Subscription) {
        self.id = subscription.id
        self.eventTypes = subscription.eventTypes.compactMap(EventType.init)
        self.description = subscription.description
        self.options = subscription.options
    }
}

extension SubscriptionStore {
    /// The subscription, held against other changes until the end of the transaction; nil where there is none.
    static func lock(_ id: SubscriptionID, in organization: OrganizationID, _ transaction: Transaction) throws -> Subscription? {
        try transaction.first(
            """
            SELECT \(raw: Subscription.columns) FROM zapier_webhooks
            WHERE organization_id = \(organization) AND id = \(id) AND ended_at IS NULL
            FOR UPDATE
            """
        )
    }

    func update(_ change: SubscriptionChange, in organization: OrganizationID, _ transaction: Transaction) throws -> Subscription {
        var assignments: Query = """
            event_types = \(change.eventTypes.map(\.rawValue))::text[], description = \(change.description),
            filter = \(change.options.filter), payload_template = \(change.options.template),
            ordering_key = \(change.options.orderingKey), rate_limit = \(change.options.rateLimit),
            timeout_seconds = \(change.options.timeoutSeconds), retry_waits = \(change.options.retryWaits)::double precision[],
            signatures = \(change.options.signatures.map(\.rawValue))::text[]
            """
        if let url = change.targetURL {
            assignments += """
                , display_url = \(NewSubscription.displayURL(of: url.reveal())),
                target_url = \(try self.vault.seal(url, .targetURL, of: change.id, in: organization))
                """
            // What was learned is of another target.
            try transaction.write(EndpointStateStore.reset(change.id, in: organization))
        }
        if let headers = change.headers {
            assignments += """
                , header_names = \(change.options.headerNames)::text[], headers = \(try self.sealed(headers, of: change.id, in: organization))
                """
        }
        return try Self.change(change.id, in: organization, assignments, transaction)
    }

    /// Members pause and resume; resuming also enables what the house disabled, with a clean slate.
    func setPaused(_ isPaused: Bool, _ id: SubscriptionID, in organization: OrganizationID, _ transaction: Transaction) throws
        -> Subscription
    {
        if isPaused { return try Self.change(id, in: organization, "paused_at = coalesce(paused_at, now())", transaction) }
        try transaction.write(EndpointStateStore.reset(id, in: organization))
        return try Self.change(id, in: organization, "paused_at = NULL, disabled_at = NULL, disabled_reason = NULL", transaction)
    }

    /// The new secret signs at once; the old one as well, for so many seconds.
    func rotate(
        to secret: WebhookSecret,
        grace: Int,
        _ id: SubscriptionID,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws -> Subscription {
        guard
            let current = try transaction.first(
                "SELECT secret FROM zapier_webhooks WHERE organization_id = \(organization) AND id = \(id)",
                as: SealedSecret.self
            )
        else { throw DatabaseAnswerMissing(statement: "secret of a subscription") }
        let previous = grace == 0 ? nil : try self.previous(current.secret, of: id, in: organization)
        return try Self.change(
            id,
            in: organization,
            """
            secret = \(try self.vault.seal(secret.text, .secret, of: id, in: organization)),
            previous_secret = \(previous),
            previous_secret_until = CASE WHEN \(previous != nil) THEN now() + make_interval(secs => \(grace)) END
            """,
            transaction
        )
    }

    /// The old secret, sealed for its new place; nil where it does not open with the keys that there are: a rotation is the way out of that.
    private func previous(_ secret: [UInt8], of id: SubscriptionID, in organization: OrganizationID) throws -> [UInt8]? {
        do {
            return try self.vault.seal(
                try self.vault.open(secret, .secret, of: id, in: organization),
                .previousSecret,
                of: id,
                in: organization
            )
        } catch is EncryptionError {
            return nil
        }
    }

    private struct SealedSecret: RowDecodable {
        var secret: [UInt8]

        init(row: Row) throws { self.secret = try row.get("secret") }
    }

    private static func change(
        _ id: SubscriptionID,
        in organization: OrganizationID,
        _ assignments: Query,
        _ transaction: Transaction
    ) throws -> Subscription {
        let changed = try transaction.first(
            """
            UPDATE zapier_webhooks SET \(assignments), revision = revision + 1, updated_at = now()
            WHERE organization_id = \(organization) AND id = \(id)
            RETURNING \(raw: Subscription.columns)
            """,
            as: Subscription.self
        )
        guard let changed else { throw DatabaseAnswerMissing(statement: "change of a subscription") }
        return changed
    }
}
