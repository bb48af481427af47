// What admins and owners see of the whole house. Pages about one service are that service's own; the gateway gathers what concerns several.
extension RouteCatalogue {
    static let gatewayAdmin: [Route] = [.adminOverview, .adminHealth]
    static let integrationsAdmin: [Route] = [.adminIntegrations, .adminProviders, .bulkTest, .integrationsSummary]
    static let campaignsAdmin: [Route] = [.campaignAnalytics, .campaignsSummary]
    static let webhooksAdmin: [Route] = [.listEventLogs, .webhooksSummary]
}

extension Route {
    package static let adminOverview = Route(
        .get,
        "/api/v1/admin/dashboard/overview",
        .gateway,
        .member(.admin, .organizationRead),
        "The organization at a glance, with what happened last",
        cost: 4
    )
    package static let adminHealth = Route(
        .get,
        "/api/v1/admin/health",
        .gateway,
        .member(.admin, .organizationRead),
        "Whether each process of the platform is ready",
        cost: 4
    )
    package static let adminIntegrations = Route(
        .get,
        "/api/v1/admin/integrations/all",
        .integrations,
        .member(.admin, .integrationsRead),
        "All integrations with their health and last sync"
    )
    package static let adminProviders = Route(
        .get,
        "/api/v1/admin/integrations/providers",
        .integrations,
        .member(.admin, .integrationsRead),
        "The provider catalogue with how many integrations use each"
    )
    package static let bulkTest = Route(
        .post,
        "/api/v1/admin/integrations/bulk-test",
        .integrations,
        .member(.admin, .integrationsWrite),
        "Test many connections at once",
        cost: 10,
        timeout: 60
    )
    package static let campaignAnalytics = Route(
        .get,
        "/api/v1/admin/campaigns/analytics",
        .campaigns,
        .member(.admin, .campaignsRead),
        "Messages of campaigns by day and by campaign",
        cost: 4
    )
    package static let listEventLogs = Route(
        .get,
        "/api/v1/admin/webhooks/event-logs",
        .webhooks,
        .member(.admin, .webhooksRead),
        "The organization's events with their deliveries, newest first"
    )
}

/// For the overview. Their time limit is that of one part of it.
extension Route {
    package static let integrationsSummary = Route(
        .get,
        "/internal/integrations/summary",
        .integrations,
        .service([.gateway]),
        "Integrations of one organization, counted",
        timeout: 3
    )
    package static let campaignsSummary = Route(
        .get,
        "/internal/campaigns/summary",
        .campaigns,
        .service([.gateway]),
        "Campaigns and messages of one organization, counted",
        timeout: 3
    )
    package static let webhooksSummary = Route(
        .get,
        "/internal/webhooks/summary",
        .webhooks,
        .service([.gateway]),
        "Subscriptions and deliveries of one organization, counted",
        timeout: 3
    )
}
