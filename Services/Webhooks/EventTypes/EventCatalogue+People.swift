import Models

extension EventCatalogue {
    private static let person: [EventField] = [
        contact,
        .init("email", .email, "Their email address.", isNullable: true),
        .init("phone", .string, "Their number, as in E.164.", isNullable: true),
        .init("first_name", .string, "Their first name.", isNullable: true),
        .init("last_name", .string, "Their last name.", isNullable: true),
        .init("integration_id", .integer, "The integration that told of it; null where a member or a client did.", isNullable: true),
    ]

    private static let ada: [String: JSONValue] = [
        "contact_id": 318, "email": "ada@example.com", "phone": "+4930123456", "first_name": "Ada", "last_name": "Lovelace",
        "integration_id": 5,
    ]

    static let contactCreated = EventTypeDescription(
        type: .contactCreated,
        summary: "A contact is new.",
        fields: person,
        example: .object(ada)
    )

    static let contactUpdated = EventTypeDescription(
        type: .contactUpdated,
        summary: "A contact has changed.",
        fields: person + [.init("changed", .array(of: .string), "Names of the fields that have other values now.")],
        example: .object(ada.merging(["changed": ["phone"]]) { $1 })
    )

    static let contactUnsubscribed = EventTypeDescription(
        type: .contactUnsubscribed,
        summary: "A contact wants no more messages of a channel.",
        fields: [
            contact, channel,
            .init("address", .string, "The address or number that gets none any more.", isNullable: true),
            .init("campaign_id", .integer, "The campaign whose message they answered so.", isNullable: true),
        ],
        example: ["contact_id": 318, "channel": "email", "address": "ada@example.com", "campaign_id": 12]
    )

    static let orderCreated = EventTypeDescription(
        type: .orderCreated,
        summary: "A connected shop has a new order.",
        fields: [
            .init("order_id", .integer, "The order."), integration, provider,
            .init("number", .string, "The order's number, as the shop and its customer know it."),
            .init("total", .string, "What is to be paid, as a decimal number."),
            .init("currency", .string, "Its currency (ISO 4217)."),
            .init("contact_id", .integer, "Who ordered, where they are a contact.", isNullable: true),
            .init("ordered_at", .dateTime, "When it was ordered."),
        ],
        example: [
            "order_id": 9_001, "integration_id": 6, "provider": "shopify", "number": "#1042", "total": "129.90", "currency": "EUR",
            "contact_id": 318, "ordered_at": "2026-11-22T08:29:12.004Z",
        ]
    )
}
