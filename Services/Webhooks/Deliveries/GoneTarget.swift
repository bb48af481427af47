import Database
import Foundation
import Models
import ServiceKit

/// What is told when a target has ended its subscription.
extension DeliveryQueue {
    /// To the audit log, to members, and to those who are subscribed to it.
    func tellOfEnd(_ delivery: ClaimedDelivery, _ transaction: Transaction) throws {
        let organization = delivery.organizationID
        let outbox = Outbox(service: .webhooks, database: self.database)
        try outbox.auditSystem(
            "subscription.ended",
            target: "subscription:\(delivery.subscriptionID)",
            details: ["reason": "gone"],
            for: organization,
            in: transaction
        )
        guard let subscription = try SubscriptionStore.known(delivery.subscriptionID, in: organization, transaction) else { return }
        let target = subscription.displayURL
        try outbox.notify(
            .webhookDisabled,
            about: NoticeSubject("subscription", subscription.id, target),
            title: "The webhook to \(target) was ended",
            detail: "Its target answered 410 (gone) to an event of type \(delivery.eventType).",
            key: "subscription:\(subscription.id)",
            for: organization,
            in: transaction
        )
        let event = Event(
            id: EventID.make("evt"),
            type: EventType.webhookDisabled.rawValue,
            timestamp: Date(),
            data: subscription.endedData(because: "gone")
        )
        let stored = try self.events.insert([IncomingEvent(.init(organizationID: organization, event: event))], transaction)
        if stored.deliveries > 0 { try transaction.notify(DeliveryQueue.channel) }
    }
}

extension Subscription {
    /// `data` of the event `webhook_disabled`.
    fileprivate func endedData(because reason: String) -> JSONValue {
        [
            "subscription_id": .integer(self.id.rawValue), "webhook_url": .string(self.displayURL),
            "trigger_events": .array(self.eventTypes.map(JSONValue.string)), "reason": .string(reason),
            "description": self.description.map(JSONValue.string) ?? .null,
        ]
    }
}
