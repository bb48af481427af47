import Database
import Foundation
import Models

/// A delivery in one worker's hands until its lease ends.
struct ClaimedDelivery: Sendable {
    var organizationID: OrganizationID
    var id: DeliveryID
    var subscriptionID: SubscriptionID
    /// What every later write must match.
    var fence: Int64
    /// Number of this attempt, from 1.
    var attempt: Int
    /// Failed attempts before this one.
    var failures: Int
    var eventID: String
    var eventType: String
    /// nil once the event has left the log.
    var occurredAt: Date?
    /// The event's `data` as JSON text.
    var data: String?
    /// Sealed; nil once the subscription has ended.
    var targetURL: [UInt8]?
    var secret: [UInt8]?
    /// The claim left its subscription no room for more: when this one is done, another may be waiting.
    var fillsLane = false
}

extension ClaimedDelivery: RowDecodable {
    init(row: Row) throws {
        self.organizationID = try row.get("organization_id")
        self.id = try row.get("id")
        self.subscriptionID = try row.get("subscription_id")
        self.fence = try row.get("fence")
        self.attempt = try row.get("attempts")
        self.failures = try row.get("failures")
        self.eventID = try row.get("event_id")
        self.eventType = try row.get("event_type")
        self.occurredAt = try row.get("occurred_at")
        self.data = try row.get("data")
        self.targetURL = try row.get("target_url")
        self.secret = try row.get("secret")
    }
}
