import Database
import Foundation
import Models

enum DeliveryState: String, Codable, CaseIterable, Sendable, SQLEncodable, SQLDecodable {
    /// Waits for its time, or for its turn.
    case pending
    /// A worker has it in hand.
    case delivering
    /// The target answered 2xx.
    case succeeded
    /// Given up: out of attempts, or out of a subscription.
    case dead
}

/// Why there is a delivery.
enum DeliveryCause: String, Codable, CaseIterable, Sendable, SQLEncodable, SQLDecodable {
    /// The event came and the subscription wanted it.
    case event
    /// A member asked for it again.
    case redelivery
    /// A replay job.
    case replay
    /// A sample, to try the target with.
    case test
}

/// One event to one subscription, as the delivery log shows it.
struct Delivery: Sendable {
    static let columns: StaticString = """
        id, event_id, event_type, subscription_id, cause, replay_id, state, attempts,
        nullif(next_attempt_at, 'infinity') AS next_attempt_at, last_status, last_error, created_at, settled_at
        """

    var id: DeliveryID
    var eventID: String
    var eventType: String
    var subscriptionID: SubscriptionID
    var cause: DeliveryCause
    /// The replay that made it.
    var replayID: Int64?
    var state: DeliveryState
    var attemptCount: Int
    /// nil unless it is pending, and where it waits for another with the same ordering key.
    var nextAttemptAt: Date?
    var lastStatus: Int?
    var lastError: String?
    var createdAt: Date
    var settledAt: Date?
}

extension Delivery: RowDecodable {
    init(row: Row) throws {
        self.id = try row.get("id")
        self.eventID = try row.get("event_id")
        self.eventType = try row.get("event_type")
        self.subscriptionID = try row.get("subscription_id")
        self.cause = try row.get("cause")
        self.replayID = try row.get("replay_id")
        self.state = try row.get("state")
        self.attemptCount = try row.get("attempts")
        self.nextAttemptAt = self.state == .pending ? try row.get("next_attempt_at") : nil
        self.lastStatus = try row.get("last_status")
        self.lastError = try row.get("last_error")
        self.createdAt = try row.get("created_at")
        self.settledAt = try row.get("settled_at")
    }
}

/// One try.
struct Attempt: Sendable {
    var number: Int
    var startedAt: Date
    var durationMilliseconds: Int?
    var status: Int?
    var error: String?
    var excerpt: String?
}
