import Database
import Foundation
import Models

/// Says why an event reached a subscription's target, or did not: each rule on the way with its verdict.
struct DeliveryExplainer: Sendable {
    let database: Postgres
    let log: DeliveryLog

    func event(_ id: String, in organization: OrganizationID) async throws -> StoredEvent? {
        try await self.database.readFirst(
            """
            SELECT id, type, occurred_at, data, received_at, quarantine FROM events
            WHERE organization_id = \(organization) AND id = \(id)
            """
        )
    }

    private struct Known: RowDecodable {
        var subscription: Subscription
        var endedAt: Date?
        var endedReason: String?
        var health: EndpointHealth?
        var now: Date

        init(row: Row) throws {
            self.subscription = try Subscription(row: row)
            self.endedAt = try row.get("ended_at")
            self.endedReason = try row.get("ended_reason")
            self.health = try row.get("has_state") ? EndpointHealth(row: row) : nil
            self.now = try row.get("now")
        }
    }

    /// nil where there is no such event or subscription, and never was.
    func explain(_ id: String, to subscription: SubscriptionID, in organization: OrganizationID) async throws -> DeliveryExplanation? {
        async let event = self.event(id, in: organization)
        async let deliveries = self.log.list(
            PageRequest(limit: 20, before: nil),
            .init(subscriptionID: subscription, eventID: id),
            in: organization
        )
        let known: Known? = try await self.database.readFirst(
            """
            SELECT \(raw: Subscription.columns), ended_at, ended_reason, now() AS now, state.subscription_id IS NOT NULL AS has_state,
                in_flight_limit, not_before, recent_failures, breaker_is_open, trips, slowdowns, failing_since, last_error, told_at_percent
            FROM zapier_webhooks AS subscription
            LEFT JOIN endpoint_states AS state
                ON state.organization_id = subscription.organization_id AND state.subscription_id = subscription.id
            WHERE subscription.organization_id = \(organization) AND subscription.id = \(subscription)
            """
        )
        guard let known, let event = try await event else { return nil }
        var rules = Self.rules(of: event, known)
        let made = try await deliveries
        rules.append(contentsOf: Self.rules(of: made.first, at: known.now))
        return DeliveryExplanation(
            eventID: id,
            subscriptionID: subscription,
            outcome: DeliveryExplanation.Outcome(made.first),
            rules: rules,
            deliveries: made.map { DeliveryResponse($0) }
        )
    }

    /// What decides whether there is a delivery at all, and whether it may go now.
    private static func rules(of event: StoredEvent, _ known: Known) -> [DeliveryExplanation.Rule] {
        let subscription = known.subscription
        var rules = [
            DeliveryExplanation.Rule("event_valid", event.quarantine == nil, event.quarantine.map { "The event is kept back: \($0)." }),
            DeliveryExplanation.Rule(
                "subscribed_before",
                subscription.createdAt <= event.receivedAt,
                "Subscribed \(Timestamp.format(subscription.createdAt)), the event came \(Timestamp.format(event.receivedAt))."
            ),
            DeliveryExplanation.Rule(
                "not_ended",
                known.endedAt == nil,
                known.endedAt.map { "Ended \(Timestamp.format($0)): \(known.endedReason ?? "")." }
            ),
            DeliveryExplanation.Rule(
                "not_disabled",
                subscription.disabledAt == nil,
                subscription.disabledAt.map { "Disabled \(Timestamp.format($0)): \(subscription.disabledReason ?? "")." }
            ),
            DeliveryExplanation.Rule(
                "event_type",
                subscription.eventTypes.contains(event.event.type),
                "Its events are \(subscription.eventTypes.joined(separator: ", "))."
            ),
        ]
        rules += Self.filterRules(of: event, subscription)
        rules.append(
            DeliveryExplanation.Rule(
                "not_paused",
                subscription.pausedAt == nil,
                subscription.pausedAt.map { "Paused \(Timestamp.format($0)); what comes waits." }
            )
        )
        if subscription.updatedAt > max(event.receivedAt, subscription.createdAt) {
            rules.append(
                DeliveryExplanation.Rule(
                    "unchanged",
                    false,
                    "Changed \(Timestamp.format(subscription.updatedAt)), after the event came; the rules are those of now."
                )
            )
        }
        if let health = known.health, health != .sound { rules.append(Self.rule(of: health, at: known.now)) }
        return rules
    }

    private static func filterRules(of event: StoredEvent, _ subscription: Subscription) -> [DeliveryExplanation.Rule] {
        let types = subscription.eventTypes.compactMap(EventType.init)
        guard let filter = subscription.options.filter.flatMap({ EventFilter(stored: $0, for: types) }) else { return [] }
        return filter.explain(EventView(event.event)).map { verdict in
            let found = verdict.found.map { "found \($0.text)" } ?? "found nothing"
            return DeliveryExplanation.Rule("filter", verdict.passed, "\(verdict.text): \(found).")
        }
    }

    private static func rule(of health: EndpointHealth, at now: Date) -> DeliveryExplanation.Rule {
        let condition = health.condition(at: now)
        let isOpen = condition == .sound || condition == .failing
        var detail = "The target is \(condition.rawValue)"
        if health.notBefore > now { detail += "; nothing is sent before \(Timestamp.format(health.notBefore))" }
        if let since = health.failingSince {
            detail += "; failing since \(Timestamp.format(since)) (last: \(health.lastError ?? "unknown"))"
        }
        return DeliveryExplanation.Rule("target_well", isOpen, detail + ".")
    }

    private static func rules(of delivery: Delivery?, at now: Date) -> [DeliveryExplanation.Rule] {
        guard let delivery else { return [] }
        switch delivery.state {
        case .succeeded:
            return [DeliveryExplanation.Rule("delivered", true, "Delivery \(delivery.id) was taken with \(delivery.lastStatus ?? 0).")]
        case .dead:
            let attempts = "\(delivery.attemptCount) attempt\(delivery.attemptCount == 1 ? "" : "s")"
            return [
                DeliveryExplanation.Rule(
                    "delivered",
                    false,
                    "Delivery \(delivery.id) was given up after \(attempts): \(delivery.lastError ?? "")."
                )
            ]
        case .delivering:
            return [DeliveryExplanation.Rule("delivered", false, "Delivery \(delivery.id) is under way.")]
        case .pending:
            let last = delivery.lastError.map { " (last: \($0))" } ?? ""
            let wait = Self.wait(of: delivery, at: now)
            return [DeliveryExplanation.Rule("delivered", false, "Delivery \(delivery.id) waits \(wait)\(last).")]
        }
    }

    /// What a pending delivery waits for.
    private static func wait(of delivery: Delivery, at now: Date) -> String {
        guard let time = delivery.nextAttemptAt else { return "for an earlier event with the same ordering key" }
        if time > now { return "for \(Timestamp.format(time))" }
        return "since \(Timestamp.format(time)) for its turn: others go first, at its rate, when its target is well"
    }
}
