import Database
import Foundation
import Models
import ServiceKit

/// What happens when the house, not a member, stops a subscription: rows, audit entry, notice to members, and the event `webhook_disabled`.
struct SubscriptionEnds: Sendable {
    let events: EventStore
    let outbox: Outbox
    /// Woken when a subscription has ended or was disabled.
    let ended: WakeSignal

    /// Its target answered 410.
    func end(_ delivery: ClaimedDelivery, _ transaction: Transaction) throws {
        let (id, organization) = (delivery.subscriptionID, delivery.organizationID)
        guard try SubscriptionStore.end(id, in: organization, because: .gone, transaction) else { return }
        try transaction.notify(self.ended.channel)
        try self.audit("subscription.ended", id, ["reason": "gone"], in: organization, transaction)
        guard let subscription = try SubscriptionStore.known(id, in: organization, transaction) else { return }
        try self.notice(
            subscription,
            about: "gone",
            title: "The webhook to \(subscription.displayURL) was ended",
            detail: "Its target answered 410 (gone) to an event of type \(delivery.eventType).",
            in: organization,
            transaction
        )
        try self.tell(subscription, because: "gone", in: organization, transaction)
    }

    /// It has been failing for long, or for too long.
    func warn(_ warning: EndpointHealth.Warning, of delivery: ClaimedDelivery, _ health: EndpointHealth, _ transaction: Transaction) throws
    {
        let (id, organization) = (delivery.subscriptionID, delivery.organizationID)
        let since = health.failingSince.map(Timestamp.format) ?? ""
        switch warning {
        case .failing(let percent):
            guard let subscription = try SubscriptionStore.known(id, in: organization, transaction) else { return }
            try self.notice(
                subscription,
                about: "failing-\(percent)",
                title: "The webhook to \(subscription.displayURL) keeps failing",
                detail: """
                    No event has reached it since \(since) (last: \(health.lastError ?? "unknown")). \(percent) % of the five days are over after \
                    which it is disabled.
                    """,
                in: organization,
                transaction
            )
        case .disabled:
            guard try SubscriptionStore.disable(id, in: organization, because: "failing", transaction) else { return }
            try transaction.notify(self.ended.channel)
            try self.audit("subscription.disabled", id, ["reason": "failing", "since": .string(since)], in: organization, transaction)
            guard let subscription = try SubscriptionStore.known(id, in: organization, transaction) else { return }
            try self.notice(
                subscription,
                about: "disabled",
                title: "The webhook to \(subscription.displayURL) was disabled",
                detail: """
                    No event has reached it since \(since) (last: \(health.lastError ?? "unknown")). Its waiting deliveries are dead; enable it \
                    again and replay what it missed.
                    """,
                in: organization,
                transaction
            )
            try self.tell(subscription, because: "failing", in: organization, transaction)
        }
    }

    private func audit(
        _ action: String,
        _ id: SubscriptionID,
        _ details: JSONValue,
        in organization: OrganizationID,
        _ transaction: Transaction
    )
        throws
    {
        try self.outbox.auditSystem(action, target: "subscription:\(id)", details: details, for: organization, in: transaction)
    }

    private func notice(
        _ subscription: Subscription,
        about trouble: String,
        title: String,
        detail: String,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws {
        try self.outbox.notify(
            .webhookDisabled,
            about: NoticeSubject("subscription", subscription.id, subscription.displayURL),
            title: title,
            detail: detail,
            key: "subscription:\(subscription.id):\(trouble)",
            for: organization,
            in: transaction
        )
    }

    private func tell(_ subscription: Subscription, because reason: String, in organization: OrganizationID, _ transaction: Transaction)
        throws
    {
        let event = Event(
            id: EventID.make("evt"),
            type: EventType.webhookDisabled.rawValue,
            timestamp: Date(),
            data: [
                "subscription_id": .integer(subscription.id.rawValue), "webhook_url": .string(subscription.displayURL),
                "trigger_events": .array(subscription.eventTypes.map(JSONValue.string)), "reason": .string(reason),
                "description": subscription.description.map(JSONValue.string) ?? .null,
            ]
        )
        let stored = try self.events.insert([IncomingEvent(.init(organizationID: organization, event: event))], transaction)
        if stored.deliveries > 0 { try transaction.notify(DeliveryQueue.channel) }
    }
}
