import Models

/// The answer to "why was it not sent?".
struct DeliveryExplanation: Encodable, Sendable {
    /// In one word.
    enum Outcome: String, Encodable, Sendable, CaseIterable {
        case succeeded
        case dead
        /// There is a delivery, and it is not done.
        case waiting
        /// A rule kept it from being made; the first that did not pass says which.
        case notMade = "not_made"

        init(_ delivery: Delivery?) {
            switch delivery?.state {
            case .succeeded: self = .succeeded
            case .dead: self = .dead
            case .pending, .delivering: self = .waiting
            case nil: self = .notMade
            }
        }
    }

    struct Rule: Encodable, Sendable {
        var rule: String
        var passed: Bool
        /// For people.
        var detail: String?

        init(_ rule: String, _ passed: Bool, _ detail: String?) {
            self.rule = rule
            self.passed = passed
            self.detail = detail
        }

        enum CodingKeys: String, CodingKey { case rule, passed, detail }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(self.rule, forKey: .rule)
            try container.encode(self.passed, forKey: .passed)
            try container.encode(self.detail, forKey: .detail)
        }
    }

    var eventID: String
    var subscriptionID: SubscriptionID
    var outcome: Outcome
    /// In the order in which they decide.
    var rules: [Rule]
    /// Newest first.
    var deliveries: [DeliveryResponse]

    enum CodingKeys: String, CodingKey {
        case outcome, rules, deliveries
        case eventID = "event_id"
        case subscriptionID = "subscription_id"
    }
}
