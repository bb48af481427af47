package import Foundation

/// The catalogue of events that the house emits. Each has one shape for outbox, webhook body and samples.
package enum EventType: String, Codable, CaseIterable, Sendable {
    case contentPosted = "content_posted"
    case campaignStarted = "campaign_started"
    case campaignSent = "campaign_sent"
    case analyticsMilestone = "analytics_milestone"
    case messageDelivered = "message_delivered"
    case messageBounced = "message_bounced"
    case messageClicked = "message_clicked"
    case contactCreated = "contact_created"
    case contactUpdated = "contact_updated"
    case contactUnsubscribed = "contact_unsubscribed"
    case orderCreated = "order_created"
    case integrationConnected = "integration_connected"
    case integrationFailed = "integration_failed"
    case syncCompleted = "sync_completed"
    case apiKeyQuotaWarning = "api_key_quota_warning"
    case webhookDisabled = "webhook_disabled"
}

/// An event as it travels everywhere: `{"id","type","timestamp","data"}`.
package struct Event: Codable, Sendable, Equatable {
    /// `evt_` and a UUIDv7, made when the fact is written; it stays the webhook's `webhook-id`.
    package var id: String
    package var type: String
    package var timestamp: Date
    package var data: JSONValue

    package init(id: String, type: String, timestamp: Date, data: JSONValue) {
        self.id = id
        self.type = type
        self.timestamp = timestamp
        self.data = data
    }
}
