extension RouteCatalogue {
    package static let gateway: [Route] = accounts + keys + audit + documents

    private static let audit: [Route] = [.recordAudit]
}

extension Route {
    package static let recordAudit = Route(
        .post,
        "/internal/audit",
        .gateway,
        .service([.integrations, .campaigns, .webhooks]),
        "Take audit entries from an outbox"
    )
}
