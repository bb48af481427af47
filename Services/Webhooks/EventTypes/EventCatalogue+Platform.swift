import Models

extension EventCatalogue {
    static let apiKeyQuotaWarning = EventTypeDescription(
        type: .apiKeyQuotaWarning,
        summary:
            "80 or 100 % of an hourly limit are used: that of an API key, or that of all keys of the organization. Once each in an hour.",
        fields: [
            .init("api_key_id", .integer, "The API key; null where the limit is the organization's.", isNullable: true),
            .init("name", .string, "The key's name.", isNullable: true),
            .init("policy", .string, "The limit's name in the RateLimit headers: hour, or organization."),
            .init("threshold", .integer, "80 or 100, in percent."),
            .init("used", .integer, "Units of the limit that are granted."),
            .init("limit", .integer, "Units of the limit."),
            .init("window_started_at", .dateTime, "When the hour began."),
            .init("window_ends_at", .dateTime, "When the next one begins, with all units free."),
        ],
        example: [
            "api_key_id": 12, "name": "Zapier", "policy": "hour", "threshold": 80, "used": 800, "limit": 1000,
            "window_started_at": "2026-11-22T08:00:00.000Z", "window_ends_at": "2026-11-22T09:00:00.000Z",
        ]
    )

    static let webhookDisabled = EventTypeDescription(
        type: .webhookDisabled,
        summary: "A subscription gets nothing any more, for its target has ended it or has failed for too long.",
        fields: [
            .init("subscription_id", .integer, "The subscription."),
            .init("webhook_url", .string, "Its target, as far as it is shown."),
            .init("trigger_events", .array(of: .string), "What it was subscribed to."),
            .init("reason", .choice(["gone", "failing"]), "Gone: it answered 410; failing: it took nothing for days."),
            .init("description", .string, "The subscription's description.", isNullable: true),
        ],
        example: [
            "subscription_id": 9, "webhook_url": "https://hooks.example.com/***", "trigger_events": ["campaign_sent"], "reason": "gone",
            "description": "Warehouse",
        ]
    )
}
