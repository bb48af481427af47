import Models

extension EventCatalogue {
    static let contentPosted = EventTypeDescription(
        type: .contentPosted,
        summary: "Content was posted to a social network.",
        fields: [
            .init("content_id", .identifier, "The content."),
            .init("platform", .string, "The network that it was posted to, as `instagram` or `linkedin`."),
            .init("user_email", .email, "Of the member who posted it.", isNullable: true, isRequired: false),
            .init("url", .uri, "Where it can be seen.", isNullable: true, isRequired: false),
        ],
        example: [
            "content_id": 7, "platform": "linkedin", "user_email": "ada@example.com", "url": "https://social.example/posts/7",
        ]
    )

    static let analyticsMilestone = EventTypeDescription(
        type: .analyticsMilestone,
        summary: "A figure has passed a mark that was set for it.",
        fields: [
            .init("metric", .string, "The figure, as `clicks` or `followers`."),
            .init("threshold", .number, "The mark."),
            .init("value", .number, "The figure when it was looked at."),
            .init("subject_type", .string, "What the figure belongs to, as `campaign` or `post`.", isRequired: false),
            .init("subject_id", .identifier, "Which one of these.", isNullable: true, isRequired: false),
        ],
        example: ["metric": "clicks", "threshold": 1000, "value": 1003, "subject_type": "campaign", "subject_id": 12]
    )
}
