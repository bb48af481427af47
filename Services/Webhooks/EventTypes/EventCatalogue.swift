import Models

/// Every event type with its description. The switch makes the compiler ask for a description of each new case.
enum EventCatalogue {
    static let all: [EventTypeDescription] = EventType.allCases.map(description)

    static func description(of type: EventType) -> EventTypeDescription {
        switch type {
        case .contentPosted: contentPosted
        case .campaignStarted: campaignStarted
        case .campaignSent: campaignSent
        case .analyticsMilestone: analyticsMilestone
        case .messageDelivered: messageDelivered
        case .messageBounced: messageBounced
        case .messageClicked: messageClicked
        case .contactCreated: contactCreated
        case .contactUpdated: contactUpdated
        case .contactUnsubscribed: contactUnsubscribed
        case .orderCreated: orderCreated
        case .integrationConnected: integrationConnected
        case .integrationFailed: integrationFailed
        case .syncCompleted: syncCompleted
        case .apiKeyQuotaWarning: apiKeyQuotaWarning
        case .webhookDisabled: webhookDisabled
        }
    }

    // MARK: - Fields that several have

    static let channel = EventField("channel", .choice(["email", "sms"]), "How it travels.")
    static let campaign = EventField("campaign_id", .integer, "The campaign.")
    static let contact = EventField("contact_id", .integer, "The contact.")
    static let integration = EventField("integration_id", .integer, "The integration.")
    static let provider = EventField("provider", .string, "The provider's name in the provider catalogue.")
}
