import Database
import Foundation
import Models
import ServiceKit

/// Makes single deliveries by hand: a test of a target, or one again.
struct DeliveryMaker: Sendable {
    let events: EventStore

    /// The catalogue's example of an event to one subscription; nobody else gets it, and it is in no feed.
    func test(_ type: EventType, of subscription: SubscriptionID, in organization: OrganizationID, _ transaction: Transaction) throws
        -> Delivery
    {
        let data = EventCatalogue.description(of: type).example
        let event = Event(id: EventID.make("evt"), type: type.rawValue, timestamp: Date(), data: data)
        var incoming = IncomingEvent(EventBatch.Entry(organizationID: organization, event: event))
        incoming.quarantine = .test
        _ = try self.events.insert([incoming], transaction)
        return try self.insert(event.id, type.rawValue, .test, to: subscription, in: organization, transaction)
    }

    /// The same event to the same subscription again, as a delivery of its own: what the first came to stays as it is.
    /// - Throws: 404 where there is no such delivery, 409 where the event or the subscription is gone.
    func again(_ id: DeliveryID, in organization: OrganizationID, _ transaction: Transaction) throws -> Delivery {
        let known = try transaction.first(
            "SELECT \(raw: Delivery.columns) FROM delivery_log WHERE organization_id = \(organization) AND id = \(id)",
            as: Delivery.self
        )
        guard let known else { throw Problem.notFound }
        guard known.state == .succeeded || known.state == .dead else {
            throw Problem(.conflict, "The delivery is not done yet; it is still being tried.")
        }
        let hasEvent = try transaction.first(
            "SELECT true FROM events WHERE organization_id = \(organization) AND id = \(known.eventID)",
            as: Bool.self
        )
        guard hasEvent == true else { throw Problem(.conflict, "The event has left the log, so it cannot be sent again.") }
        guard let subscription = try SubscriptionStore.lock(known.subscriptionID, in: organization, transaction) else {
            throw Problem(.conflict, "The subscription has ended.")
        }
        try subscription.checkIsActive()
        return try self.insert(known.eventID, known.eventType, .redelivery, to: subscription.id, in: organization, transaction)
    }

    private func insert(
        _ eventID: String,
        _ eventType: String,
        _ cause: DeliveryCause,
        to subscription: SubscriptionID,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws -> Delivery {
        let made = try transaction.first(
            """
            INSERT INTO deliveries (organization_id, event_id, event_type, subscription_id, cause)
            VALUES (\(organization), \(eventID), \(eventType), \(subscription), \(cause))
            RETURNING id, event_id, event_type, subscription_id, cause, replay_id, state, attempts, next_attempt_at, last_status, last_error,
                created_at, NULL::timestamptz AS settled_at
            """,
            as: Delivery.self
        )
        guard let made else { throw DatabaseAnswerMissing(statement: "delivery insert") }
        try transaction.notify(DeliveryQueue.channel)
        return made
    }
}

extension Subscription {
    /// - Throws: 409 where nothing is sent to it now.
    func checkIsActive() throws(Problem) {
        switch self.state {
        case .active: return
        case .paused: throw Problem(.conflict, "The subscription is paused; resume it first.")
        case .disabled: throw Problem(.conflict, "The subscription is disabled; resume it first.")
        }
    }
}
