import Models

extension EventCatalogue {
    static let campaignStarted = EventTypeDescription(
        type: .campaignStarted,
        summary: "A campaign's audience is fixed and its messages start to leave.",
        fields: [
            campaign, .init("name", .string, "The campaign's name."), channel,
            .init("recipients", .integer, "Messages to be sent."),
            .init("skipped", .integer, "Contacts of the audience that get none, for want of an address or of consent."),
        ],
        example: ["campaign_id": 12, "name": "Spring news", "channel": "email", "recipients": 10_000, "skipped": 0]
    )

    static let campaignSent = EventTypeDescription(
        type: .campaignSent,
        summary: "Every message of a campaign is settled.",
        fields: [
            campaign, .init("name", .string, "The campaign's name."), channel,
            .init(
                "counts",
                .object([
                    .init("total", .integer, "All of them."), .init("accepted", .integer, "Taken by the provider."),
                    .init("failed", .integer, "Refused for good."), .init("in_doubt", .integer, "Nobody knows their end."),
                    .init("skipped", .integer, "Never sent, for want of an address or of consent."),
                ]),
                "Messages by outcome."
            ),
        ],
        example: [
            "campaign_id": 12, "name": "Spring news", "channel": "email",
            "counts": ["total": 10_000, "accepted": 9_998, "failed": 1, "in_doubt": 1, "skipped": 0],
        ]
    )

    private static let message: [EventField] = [
        .init("message_id", .integer, "The message."), .init("campaign_id", .integer, "Its campaign.", isNullable: true),
        .init("contact_id", .integer, "Whom it is for."), channel,
    ]

    static let messageDelivered = EventTypeDescription(
        type: .messageDelivered,
        summary: "The receiving side has taken a message.",
        fields: message,
        example: ["message_id": 40_071, "campaign_id": 12, "contact_id": 318, "channel": "email"]
    )

    static let messageBounced = EventTypeDescription(
        type: .messageBounced,
        summary: "A message came back.",
        fields: message + [
            .init("bounce_type", .choice(["hard", "soft"]), "Hard: the address will never take a message; soft: not this time."),
            .init("reason", .string, "What the receiving side said.", isNullable: true),
        ],
        example: [
            "message_id": 40_071, "campaign_id": 12, "contact_id": 318, "channel": "email", "bounce_type": "hard",
            "reason": "550 5.1.1 user unknown",
        ]
    )

    static let messageClicked = EventTypeDescription(
        type: .messageClicked,
        summary: "The reader of a message followed one of its links.",
        fields: message + [.init("url", .uri, "Where the link leads.")],
        example: [
            "message_id": 40_071, "campaign_id": 12, "contact_id": 318, "channel": "email", "url": "https://shop.example/spring",
        ]
    )
}
