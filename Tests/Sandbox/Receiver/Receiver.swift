import Foundation
import Models

/// A webhook receiver by name: what it answers, and what it got.
struct Receiver: Sendable {
    /// Deliveries kept whole, the latest; the counts know all.
    static let kept = 1000

    var secret: String?
    /// Answers in turn; the last one goes on. Empty answers 200.
    var statuses: [Int] = []
    var delay = Duration.zero
    /// `Retry-After` of an answer that is not 2xx.
    var retryAfter: String?
    private(set) var received = 0
    private(set) var verified = 0
    private(set) var unverified = 0
    private(set) var duplicates = 0
    /// Deliveries by webhook-id.
    private(set) var ids: [String: Int] = [:]
    private(set) var lastRefusal: String?
    private(set) var deliveries: [ReceivedDelivery] = []
    /// What came before the secret was known; verified then.
    private var unchecked: [ReceivedDelivery] = []

    /// Takes a delivery and answers with what status.
    mutating func take(_ delivery: ReceivedDelivery) -> Int {
        self.received += 1
        if let id = delivery.id {
            let times = self.ids[id, default: 0]
            if times > 0 { self.duplicates += 1 }
            self.ids[id] = times + 1
        }
        self.deliveries.append(delivery)
        if self.deliveries.count > 2 * Self.kept { self.deliveries.removeFirst(Self.kept) }
        if self.secret == nil { self.unchecked.append(delivery) } else { self.check(delivery) }
        guard !self.statuses.isEmpty else { return 200 }
        return self.statuses.count > 1 ? self.statuses.removeFirst() : self.statuses[0]
    }

    mutating func learn(secret: String) {
        self.secret = secret
        for delivery in self.unchecked { self.check(delivery) }
        self.unchecked = []
    }

    private mutating func check(_ delivery: ReceivedDelivery) {
        self.lastRefusal = WebhookCheck.refusal(of: delivery, secret: self.secret ?? "", now: delivery.receivedAt)
        if self.lastRefusal == nil { self.verified += 1 } else { self.unverified += 1 }
    }

    var json: JSONValue {
        [
            "received": .integer(Int64(self.received)),
            "verified": .integer(Int64(self.verified)),
            "unverified": .integer(Int64(self.unverified)),
            "unchecked": .integer(Int64(self.unchecked.count)),
            "distinct": .integer(Int64(self.ids.count)),
            "duplicates": .integer(Int64(self.duplicates)),
            "last_refusal": self.lastRefusal.map(JSONValue.string) ?? .null,
        ]
    }
}

extension ReceivedDelivery {
    var json: JSONValue {
        func text(_ value: String?) -> JSONValue { value.map(JSONValue.string) ?? .null }
        return [
            "webhook_id": text(self.id),
            "webhook_timestamp": text(self.timestamp),
            "user_agent": text(self.userAgent),
            "traceparent": text(self.traceParent),
            "content_type": text(self.contentType),
            "body": .string(String(decoding: self.body, as: UTF8.self)),
            "received_at": .string(Timestamp.format(self.receivedAt)),
        ]
    }
}
