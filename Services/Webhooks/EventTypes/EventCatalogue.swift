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
        }
    }

    private static let integrationConnected = EventTypeDescription(
        type: .integrationConnected,
        version: 1,
        summary: "An integration was created and its first connection succeeded.",
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
            .init("integration_id", .integer, "The integration."),
            .init("sync_run_id", .integer, "The sync run."),
            .init("provider", .string, "The provider's name in the provider catalogue."),
            .init("records", .integer, "Records read from the provider."),
        ],
        example: ["integration_id": 5, "sync_run_id": 31, "provider": "hubspot", "records": 10_000]
    )

    private static let campaignStarted = EventTypeDescription(
        type: .campaignStarted,
        version: 1,
        summary: "A campaign's audience is fixed and its messages start to leave.",
        fields: [
            .init("campaign_id", .integer, "The campaign."),
            .init("name", .string, "The campaign's name."),
            .init("recipients", .integer, "Messages in the campaign."),
        ],
        example: ["campaign_id": 12, "name": "Spring news", "recipients": 10_000]
    )

    private static let campaignSent = EventTypeDescription(
        type: .campaignSent,
        version: 1,
        summary: "Every message of a campaign is settled.",
        fields: [
            .init("campaign_id", .integer, "The campaign."),
            .init("name", .string, "The campaign's name."),
            .init("counts", .object, "Messages by outcome; in_doubt are those whose end nobody knows."),
        ],
        example: [
            "campaign_id": 12,
            "name": "Spring news",
            "counts": ["sent": 9_998, "failed": 1, "in_doubt": 1],
        ]
    )
}
