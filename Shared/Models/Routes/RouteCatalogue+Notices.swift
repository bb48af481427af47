/// What members are told of, and how they want to be told.
extension RouteCatalogue {
    static let notices: [Route] = [
        .listNotifications, .countUnreadNotifications, .readNotification, .readAllNotifications, .notificationSettings,
        .changeNotificationSettings, .takeNotices,
    ]
}

extension Route {
    package static let listNotifications = Route(
        .get,
        "/api/v1/notifications",
        .gateway,
        .user(.viewer),
        "Notices of the organization, as the member sees them"
    )
    package static let countUnreadNotifications = Route(
        .get,
        "/api/v1/notifications/unread-count",
        .gateway,
        .user(.viewer),
        "How many notices the member has not read"
    )
    package static let readNotification = Route(
        .post,
        "/api/v1/notifications/{id}/read",
        .gateway,
        .user(.viewer),
        "Mark a notice as read"
    )
    package static let readAllNotifications = Route(
        .post,
        "/api/v1/notifications/read-all",
        .gateway,
        .user(.viewer),
        "Mark all notices as read"
    )
    package static let notificationSettings = Route(
        .get,
        "/api/v1/notifications/settings",
        .gateway,
        .user(.viewer),
        "Which notices the member gets by mail"
    )
    package static let changeNotificationSettings = Route(
        .put,
        "/api/v1/notifications/settings",
        .gateway,
        .user(.viewer),
        "Choose which notices come by mail"
    )
    package static let takeNotices = Route(
        .post,
        "/internal/notices",
        .gateway,
        .service([.integrations, .campaigns, .webhooks]),
        "Take notices from an outbox"
    )
}
