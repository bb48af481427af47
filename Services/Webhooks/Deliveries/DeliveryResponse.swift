import Foundation
import Models

/// A delivery in JSON. Members without a value are null, never absent; `attempts` is there only for a single delivery.
struct DeliveryResponse: Encodable, Sendable {
    let delivery: Delivery
    let attempts: [Attempt]?

    init(_ delivery: Delivery, _ attempts: [Attempt]? = nil) {
        self.delivery = delivery
        self.attempts = attempts
    }

    enum CodingKeys: String, CodingKey {
        case id, cause, state, attempts
        case eventID = "event_id"
        case eventType = "event_type"
        case subscriptionID = "subscription_id"
        case replayID = "replay_id"
        case attemptCount = "attempt_count"
        case nextAttemptAt = "next_attempt_at"
        case lastStatus = "last_status"
        case lastError = "last_error"
        case createdAt = "created_at"
        case settledAt = "settled_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.delivery.id, forKey: .id)
        try container.encode(self.delivery.eventID, forKey: .eventID)
        try container.encode(self.delivery.eventType, forKey: .eventType)
        try container.encode(self.delivery.subscriptionID, forKey: .subscriptionID)
        try container.encode(self.delivery.cause, forKey: .cause)
        try container.encode(self.delivery.replayID, forKey: .replayID)
        try container.encode(self.delivery.state, forKey: .state)
        try container.encode(self.delivery.attemptCount, forKey: .attemptCount)
        try container.encode(self.delivery.nextAttemptAt, forKey: .nextAttemptAt)
        try container.encode(self.delivery.lastStatus, forKey: .lastStatus)
        try container.encode(self.delivery.lastError, forKey: .lastError)
        try container.encode(self.delivery.createdAt, forKey: .createdAt)
        try container.encode(self.delivery.settledAt, forKey: .settledAt)
        try container.encodeIfPresent(self.attempts?.map(AttemptResponse.init), forKey: .attempts)
    }
}

struct AttemptResponse: Encodable, Sendable {
    let attempt: Attempt

    init(_ attempt: Attempt) { self.attempt = attempt }

    enum CodingKeys: String, CodingKey {
        case number, status, error
        case startedAt = "started_at"
        case durationMilliseconds = "duration_ms"
        case responseExcerpt = "response_excerpt"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.attempt.number, forKey: .number)
        try container.encode(self.attempt.startedAt, forKey: .startedAt)
        try container.encode(self.attempt.durationMilliseconds, forKey: .durationMilliseconds)
        try container.encode(self.attempt.status, forKey: .status)
        try container.encode(self.attempt.error, forKey: .error)
        try container.encode(self.attempt.excerpt, forKey: .responseExcerpt)
    }
}
