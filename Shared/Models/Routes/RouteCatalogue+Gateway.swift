extension RouteCatalogue {
    package static let gateway: [Route] = accounts + keys + audit + usage + notices + documents + gatewayAdmin

    private static let audit: [Route] = [.listAuditLogs, .recordAudit]
    private static let usage: [Route] = [.usageAnalytics]
}

extension Route {
    package static let listAuditLogs = Route(
        .get,
        "/api/v1/admin/audit-logs",
        .gateway,
        .member(.admin, .auditRead),
        "Security-relevant changes"
    )
    package static let usageAnalytics = Route(
        .get,
        "/api/v1/admin/api/usage-analytics",
        .gateway,
        .member(.admin, .organizationRead),
        "Requests, errors and latency of the organization"
    )
    package static let recordAudit = Route(
        .post,
        "/internal/audit",
        .gateway,
        .service([.integrations, .campaigns, .webhooks]),
        "Take audit entries from an outbox"
    )
}
