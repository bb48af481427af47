import Models

/// Every event type with its description. The switch makes the compiler ask for a description of each new case.
enum EventCatalogue {
    static let all: [EventTypeDescription] = EventType.allCases.map(description)

    static func description(of type: EventType) -> EventTypeDescription {
        switch type {
        case .integrationConnected: integrationConnected
        case .integrationFailed: integrationFailed
        case .syncCompleted: syncCompleted
        case .campaignStarted: campaignStarted
        case .campaignSent: campaignSent
        case .apiKeyQuotaWarning: apiKeyQuotaWarning
        }
    }

    private static let integrationConnected = EventTypeDescription(
        type: .integrationConnected,
        version: 1,
        summary: "An integration was created.",
        fields: [
            .init("integration_id", .integer, "The integration."),
            .init("provider", .string, "The provider's name in the provider catalogue."),
            .init("name", .string, "The integration's name."),
        ],
        example: ["integration_id": 5, "provider": "hubspot", "name": "Main CRM"]
    )

    private static let integrationFailed = EventTypeDescription(
        type: .integrationFailed,
        version: 1,
        summary: "An integration stopped working and needs attention, for example because its credential was revoked.",
        fields: [
            .init("integration_id", .integer, "The integration."),
            .init("provider", .string, "The provider's name in the provider catalogue."),
            .init("name", .string, "The integration's name."),
            .init("reason", .string, "What went wrong, for people."),
        ],
        example: ["integration_id": 5, "provider": "hubspot", "name": "Main CRM", "reason": "The access token was refused."]
    )

    private static let syncCompleted = EventTypeDescription(
        type: .syncCompleted,
        version: 1,
        summary: "A sync run of an integration reached its end.",
        fields: [
            .init("sync_run_id", .integer, "The sync run."),
            .init("integration_id", .integer, "The integration."),
            .init("provider", .string, "The provider's name in the provider catalogue."),
            .init("mode", .string, "Whether everything was read or only what had changed."),
            .init("records", .integer, "Records read from the provider."),
            .init("created", .integer, "Records that were new."),
            .init("updated", .integer, "Records that had changed."),
            .init("deleted", .integer, "Records that were gone."),
            .init("unchanged", .integer, "Records that were known as they are."),
            .init("started_at", .string, "When the run began.", isNullable: true, format: "date-time"),
            .init("finished_at", .string, "When the run ended.", isNullable: true, format: "date-time"),
        ],
        example: [
            "sync_run_id": 31, "integration_id": 5, "provider": "hubspot", "mode": "full", "records": 10_000, "created": 9_990,
            "updated": 6,
            "deleted": 0, "unchanged": 4, "started_at": "2026-11-22T08:29:12.004Z", "finished_at": "2026-11-22T08:30:00.101Z",
        ]
    )

    private static let campaignStarted = EventTypeDescription(
        type: .campaignStarted,
        version: 1,
        summary: "A campaign's audience is fixed and its messages start to leave.",
        fields: [
            .init("campaign_id", .integer, "The campaign."),
            .init("name", .string, "The campaign's name."),
            .init("channel", .string, "How its messages travel."),
            .init("recipients", .integer, "Messages to be sent."),
            .init("skipped", .integer, "Contacts of the audience that get none, for want of an address or of consent."),
        ],
        example: ["campaign_id": 12, "name": "Spring news", "channel": "email", "recipients": 10_000, "skipped": 0]
    )

    private static let campaignSent = EventTypeDescription(
        type: .campaignSent,
        version: 1,
        summary: "Every message of a campaign is settled.",
        fields: [
            .init("campaign_id", .integer, "The campaign."),
            .init("name", .string, "The campaign's name."),
            .init("channel", .string, "How its messages travel."),
            .init("counts", .object, "Messages by outcome: total, accepted, failed, skipped, and in_doubt, whose end nobody knows."),
        ],
        example: [
            "campaign_id": 12, "name": "Spring news", "channel": "email",
            "counts": ["total": 10_000, "accepted": 9_998, "failed": 1, "in_doubt": 1, "skipped": 0],
        ]
    )

    private static let apiKeyQuotaWarning = EventTypeDescription(
        type: .apiKeyQuotaWarning,
        version: 1,
        summary:
            "80 or 100 % of an hourly limit are used: that of an API key, or that of all keys of the organization. Once each in an hour.",
        fields: [
            .init("api_key_id", .integer, "The API key; null where the limit is the organization's.", isNullable: true),
            .init("name", .string, "The key's name.", isNullable: true),
            .init("policy", .string, "The limit's name in the RateLimit headers: hour, or organization."),
            .init("threshold", .integer, "80 or 100, in percent."),
            .init("used", .integer, "Units of the limit that are granted."),
            .init("limit", .integer, "Units of the limit."),
            .init("window_started_at", .string, "When the hour began.", format: "date-time"),
            .init("window_ends_at", .string, "When the next one begins, with all units free.", format: "date-time"),
        ],
        example: [
            "api_key_id": 12, "name": "Zapier", "policy": "hour", "threshold": 80, "used": 800, "limit": 1000,
            "window_started_at": "2026-11-22T08:00:00.000Z", "window_ends_at": "2026-11-22T09:00:00.000Z",
        ]
    )
}
