extension RouteCatalogue {
    static let replays: [Route] = [.createReplay, .listReplays, .getReplay, .pauseReplay, .resumeReplay, .cancelReplay]
}

extension Route {
    package static let createReplay = Route(
        .post,
        "/api/v1/webhooks/replays",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Send events of the log again",
        idempotent: true
    )
    package static let listReplays = Route(.get, "/api/v1/webhooks/replays", .webhooks, .member(.viewer, .webhooksRead), "List replays")
    package static let getReplay = Route(.get, "/api/v1/webhooks/replays/{id}", .webhooks, .member(.viewer, .webhooksRead), "One replay")
    package static let pauseReplay = Route(
        .post,
        "/api/v1/webhooks/replays/{id}/pause",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Pause a replay"
    )
    package static let resumeReplay = Route(
        .post,
        "/api/v1/webhooks/replays/{id}/resume",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Resume a replay"
    )
    package static let cancelReplay = Route(
        .post,
        "/api/v1/webhooks/replays/{id}/cancel",
        .webhooks,
        .member(.admin, .webhooksWrite),
        "Cancel a replay"
    )
}
