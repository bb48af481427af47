import Foundation
import Models

/// A subscription in JSON. Members without a value are null, never absent; `secret` is there only where it is new.
struct SubscriptionResponse: Encodable, Sendable {
    let subscription: Subscription
    let secret: WebhookSecret?

    init(_ subscription: Subscription, secret: WebhookSecret? = nil) {
        self.subscription = subscription
        self.secret = secret
    }

    enum CodingKeys: String, CodingKey {
        case id, state, description, filter, headers, timeout, signatures, secret
        case webhookURL = "webhook_url"
        case triggerEvents = "trigger_events"
        case disabledReason = "disabled_reason"
        case payloadTemplate = "payload_template"
        case orderingKey = "ordering_key"
        case rateLimit = "rate_limit"
        case retrySchedule = "retry_schedule"
        case previousSecretUntil = "previous_secret_until"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        let (subscription, options) = (self.subscription, self.subscription.options)
        try container.encode(subscription.id, forKey: .id)
        // The host and nothing of the path.
        try container.encode(subscription.displayURL, forKey: .webhookURL)
        try container.encode(subscription.eventTypes, forKey: .triggerEvents)
        try container.encode(subscription.description, forKey: .description)
        try container.encode(subscription.state.rawValue, forKey: .state)
        try container.encode(subscription.disabledReason, forKey: .disabledReason)
        try container.encode(options.filter, forKey: .filter)
        try container.encode(options.template, forKey: .payloadTemplate)
        // Names only: values are credentials.
        try container.encode(Dictionary(options.headerNames.map { ($0, "***") }, uniquingKeysWith: { $1 }), forKey: .headers)
        try container.encode(options.orderingKey, forKey: .orderingKey)
        try container.encode(options.rateLimit, forKey: .rateLimit)
        try container.encode(options.timeoutSeconds.map { Int($0) }, forKey: .timeout)
        try container.encode(options.retryWaits, forKey: .retrySchedule)
        try container.encode(options.signatures.map(\.rawValue), forKey: .signatures)
        try container.encode(subscription.previousSecretUntil, forKey: .previousSecretUntil)
        try container.encode(subscription.createdAt, forKey: .createdAt)
        try container.encode(subscription.updatedAt, forKey: .updatedAt)
        try container.encodeIfPresent(self.secret?.text.reveal(), forKey: .secret)
    }
}
