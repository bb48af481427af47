import Models

extension EventCatalogue {
    static let integrationConnected = EventTypeDescription(
        type: .integrationConnected,
        summary: "An integration was created.",
        fields: [integration, provider, .init("name", .string, "The integration's name.")],
        example: ["integration_id": 5, "provider": "hubspot", "name": "Main CRM"]
    )

    static let integrationFailed = EventTypeDescription(
        type: .integrationFailed,
        summary: "An integration stopped working and needs attention, for example because its credential was revoked.",
        fields: [
            integration, provider, .init("name", .string, "The integration's name."),
            .init("reason", .string, "What went wrong, for people."),
        ],
        example: ["integration_id": 5, "provider": "hubspot", "name": "Main CRM", "reason": "The access token was refused."]
    )

    static let syncCompleted = EventTypeDescription(
        type: .syncCompleted,
        summary: "A sync run of an integration reached its end.",
        fields: [
            .init("sync_run_id", .integer, "The sync run."), integration, provider,
            .init("mode", .string, "Whether everything was read or only what had changed."),
            .init("records", .integer, "Records read from the provider."),
            .init("created", .integer, "Records that were new."),
            .init("updated", .integer, "Records that had changed."),
            .init("deleted", .integer, "Records that were gone."),
            .init("unchanged", .integer, "Records that were known as they are."),
            .init("started_at", .dateTime, "When the run began.", isNullable: true),
            .init("finished_at", .dateTime, "When the run ended.", isNullable: true),
        ],
        example: [
            "sync_run_id": 31, "integration_id": 5, "provider": "hubspot", "mode": "full", "records": 10_000, "created": 9_990,
            "updated": 6, "deleted": 0, "unchanged": 4, "started_at": "2026-11-22T08:29:12.004Z",
            "finished_at": "2026-11-22T08:30:00.101Z",
        ]
    )
}
