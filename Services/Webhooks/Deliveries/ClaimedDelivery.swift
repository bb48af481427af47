import Database
import Foundation
import Models

/// A delivery in one worker's hands until its lease ends.
struct ClaimedDelivery: Sendable {
    /// What was known of its subscription when it was claimed.
    struct Target: RowDecodable, Sendable {
        /// nil once the subscription has ended or is disabled; then ``calledOff`` says which.
        var revision: Int64?
        var calledOff: DeliveryFailure?
        /// Nothing is known against the target: a success need not be told to anyone.
        var isSound = true
    }

    var organizationID: OrganizationID
    var id: DeliveryID
    var subscriptionID: SubscriptionID
    /// What every later write must match.
    var fence: Int64
    /// Number of this attempt, from 1.
    var attempt: Int
    /// Failed attempts before this one.
    var failures: Int
    var cause: DeliveryCause
    /// Others with the same key wait until this one is done.
    var orderingKey: String?
    var eventID: String
    var eventType: String
    /// nil once the event has left the log.
    var occurredAt: Date?
    /// The event's `data` as JSON text.
    var data: String?
    var target = Target()
    /// nil where the subscription is called off, or does not open with the keys that this process has.
    var endpoint: Endpoint?
    /// The claim left its subscription no room for more: when this one is done, another may be waiting.
    var fillsLane = false

    var key: EndpointKey { EndpointKey(organizationID: self.organizationID, subscriptionID: self.subscriptionID) }
}

extension ClaimedDelivery: RowDecodable {
    init(row: Row) throws {
        self.organizationID = try row.get("organization_id")
        self.id = try row.get("id")
        self.subscriptionID = try row.get("subscription_id")
        self.fence = try row.get("fence")
        self.attempt = try row.get("attempts")
        self.failures = try row.get("failures")
        self.cause = try row.get("cause")
        self.orderingKey = try row.get("ordering_key")
        self.eventID = try row.get("event_id")
        self.eventType = try row.get("event_type")
        self.occurredAt = try row.get("occurred_at")
        self.data = try row.get("data")
    }
}

extension ClaimedDelivery.Target {
    init(row: Row) throws {
        self.revision = try row.get("revision")
        self.calledOff = (try row.get("called_off") as String?).map(DeliveryFailure.init)
        self.isSound = try row.get("is_sound")
    }
}
