import Database
import Foundation
import Models

enum ReplayState: String, Codable, CaseIterable, Sendable, SQLEncodable, SQLDecodable {
    case running
    case paused
    case finished
    /// By a member.
    case cancelled
    /// By the house: its subscription ended or was disabled.
    case stopped
}

/// Which events of its range a replay sends.
enum ReplayScope: String, Codable, CaseIterable, Sendable, SQLEncodable, SQLDecodable {
    /// Those that the subscription's target has not taken, and that do not wait for it.
    case undelivered
    case all
}

/// A job that sends events of the log to a subscription again.
struct Replay: Sendable {
    static let columns: StaticString = """
        id, subscription_id, from_time, to_time, which, filter, rate, state, reason, cursor, end_id, end_position, total, looked_at, made,
        created_at, finished_at
        """

    var id: ReplayID
    var subscriptionID: SubscriptionID
    var from: Date
    var to: Date
    var scope: ReplayScope
    var filter: JSONValue?
    /// Deliveries made a second.
    var rate: Int
    var state: ReplayState
    var reason: String?
    var cursor: String
    var endID: String
    var endPosition: Int64
    var total: Int
    var lookedAt: Int
    var made: Int
    var createdAt: Date
    var finishedAt: Date?
}

extension Replay: RowDecodable {
    init(row: Row) throws {
        self.id = try row.get("id")
        self.subscriptionID = try row.get("subscription_id")
        self.from = try row.get("from_time")
        self.to = try row.get("to_time")
        self.scope = try row.get("which")
        self.filter = try row.get("filter")
        self.rate = try row.get("rate")
        self.state = try row.get("state")
        self.reason = try row.get("reason")
        self.cursor = try row.get("cursor")
        self.endID = try row.get("end_id")
        self.endPosition = try row.get("end_position")
        self.total = try row.get("total")
        self.lookedAt = try row.get("looked_at")
        self.made = try row.get("made")
        self.createdAt = try row.get("created_at")
        self.finishedAt = try row.get("finished_at")
    }
}

/// What became of a replay's deliveries.
struct ReplayProgress: RowDecodable, Sendable {
    var waiting: Int
    var succeeded: Int
    var dead: Int

    init(row: Row) throws {
        self.waiting = try row.get("waiting")
        self.succeeded = try row.get("succeeded")
        self.dead = try row.get("dead")
    }
}

/// A checked request for a replay.
struct NewReplay: Sendable {
    /// Deliveries a second where the request does not say, and at most.
    static let usualRate: Int64 = 100
    static let highestRate: Int64 = 5_000

    var subscriptionID: SubscriptionID
    var from: Date
    var to: Date
    var scope: ReplayScope
    /// Holds beside the subscription's own filter.
    var filter: JSONValue?
    var rate: Int
}

/// The place of a moment among event ids, which begin with their time in milliseconds (UUIDv7, RFC 9562 section 5.7).
enum EventIDTime {
    static func firstID(at time: Date) -> String {
        let milliseconds = max(0, Int64((time.timeIntervalSince1970 * 1000).rounded(.down)))
        let digits = String(milliseconds, radix: 16)
        return "evt_" + String(repeating: "0", count: max(0, 12 - digits.count)) + digits
    }
}
