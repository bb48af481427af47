extension RouteCatalogue {
    static let subscriptionChanges: [Route] = [
        .updateSubscription, .pauseSubscription, .resumeSubscription, .rotateSubscriptionSecret, .testSubscription, .subscriptionHealth,
        .previewTemplate,
    ]
    static let webhookEvents: [Route] = [.pullEvents, .getEvent, .explainDelivery]
    static let webhookDeliveries: [Route] = [.listDeliveries, .getDelivery, .redeliver]
}

// MARK: - Subscriptions

extension Route {
    package static let updateSubscription = Route(
        .patch,
        "/api/v1/zapier/webhooks/{id}",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Change a subscription"
    )
    package static let pauseSubscription = Route(
        .post,
        "/api/v1/zapier/webhooks/{id}/pause",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Pause a subscription"
    )
    package static let resumeSubscription = Route(
        .post,
        "/api/v1/zapier/webhooks/{id}/resume",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Resume a subscription"
    )
    package static let rotateSubscriptionSecret = Route(
        .post,
        "/api/v1/zapier/webhooks/{id}/rotate-secret",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Give a subscription a new secret",
        idempotent: true
    )
    package static let testSubscription = Route(
        .post,
        "/api/v1/zapier/webhooks/{id}/test",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Send a sample to a subscription",
        idempotent: true
    )
    package static let subscriptionHealth = Route(
        .get,
        "/api/v1/zapier/webhooks/{id}/health",
        .webhooks,
        .member(.viewer, .webhooksRead),
        "How a subscription's target does"
    )
    package static let previewTemplate = Route(
        .post,
        "/api/v1/webhooks/templates/preview",
        .webhooks,
        .member(.viewer, .eventsRead),
        "What a payload template makes of an event"
    )
}

// MARK: - Events

extension Route {
    package static let pullEvents = Route(
        .get,
        "/api/v1/webhooks/events",
        .webhooks,
        .member(.viewer, .eventsRead),
        "Events in the order in which they came"
    )
    package static let getEvent = Route(
        .get,
        "/api/v1/webhooks/events/{event_id}",
        .webhooks,
        .member(.viewer, .eventsRead),
        "One event with its deliveries"
    )
    package static let explainDelivery = Route(
        .get,
        "/api/v1/zapier/webhooks/{id}/explain/{event_id}",
        .webhooks,
        .member(.viewer, .eventsRead),
        "Why an event was sent, or was not"
    )
}

// MARK: - Deliveries

extension Route {
    package static let listDeliveries = Route(
        .get,
        "/api/v1/webhooks/deliveries",
        .webhooks,
        .member(.viewer, .webhooksRead),
        "The delivery log"
    )
    package static let getDelivery = Route(
        .get,
        "/api/v1/webhooks/deliveries/{id}",
        .webhooks,
        .member(.viewer, .webhooksRead),
        "One delivery with its attempts"
    )
    package static let redeliver = Route(
        .post,
        "/api/v1/webhooks/deliveries/{id}/redeliver",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Send a delivery again",
        idempotent: true
    )
}
