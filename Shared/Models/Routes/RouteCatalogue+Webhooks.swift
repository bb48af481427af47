extension RouteCatalogue {
    package static let webhooks: [Route] =
        [
            .listEventTypes, .sampleEvents, .triggerEvent, .createSubscription, .listSubscriptions, .getSubscription, .deleteSubscription,
            .takeEvents,
        ] + subscriptionChanges + webhookEvents + webhookDeliveries + replays + signing + webhooksAdmin
}

extension Route {
    package static let listEventTypes = Route(
        .get,
        "/api/v1/zapier/events",
        .webhooks,
        .member(.viewer, .eventsRead),
        "The event catalogue"
    )
    package static let sampleEvents = Route(
        .get,
        "/api/v1/zapier/events/{event}/sample",
        .webhooks,
        .member(.viewer, .eventsRead),
        "Recent events of a type"
    )
    package static let triggerEvent = Route(
        .post,
        "/api/v1/zapier/trigger/{event}",
        .webhooks,
        .member(.editor, .eventsWrite),
        "Tell of an event",
        idempotent: true
    )
    package static let createSubscription = Route(
        .post,
        "/api/v1/zapier/webhooks",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Subscribe a URL to events",
        idempotent: true
    )
    package static let listSubscriptions = Route(
        .get,
        "/api/v1/zapier/webhooks",
        .webhooks,
        .member(.viewer, .webhooksRead),
        "List subscriptions"
    )
    package static let getSubscription = Route(
        .get,
        "/api/v1/zapier/webhooks/{id}",
        .webhooks,
        .member(.viewer, .webhooksRead),
        "One subscription"
    )
    package static let deleteSubscription = Route(
        .delete,
        "/api/v1/zapier/webhooks/{id}",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Unsubscribe"
    )
    package static let takeEvents = Route(
        .post,
        "/internal/events",
        .webhooks,
        .service([.gateway, .integrations, .campaigns]),
        "Take events from an outbox"
    )
}
