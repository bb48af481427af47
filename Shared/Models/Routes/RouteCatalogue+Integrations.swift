extension RouteCatalogue {
    package static let integrations: [Route] =
        [
            .listProviders, .createIntegration, .listIntegrations, .getIntegration, .updateIntegration, .deleteIntegration,
            .testIntegration, .startSync, .listSyncRuns,
            .readChanges, .readChangeHeads, .findSender, .sendMessages,
        ] + integrationsAdmin
}

extension Route {
    package static let listProviders = Route(
        .get,
        "/api/v1/integrations/providers",
        .integrations,
        .member(.viewer, .integrationsRead),
        "The provider catalogue"
    )
    package static let createIntegration = Route(
        .post,
        "/api/v1/integrations",
        .integrations,
        .member(.admin, .integrationsWrite),
        "Connect a provider",
        idempotent: true
    )
    package static let listIntegrations = Route(
        .get,
        "/api/v1/integrations",
        .integrations,
        .member(.viewer, .integrationsRead),
        "List integrations"
    )
    package static let getIntegration = Route(
        .get,
        "/api/v1/integrations/{id}",
        .integrations,
        .member(.viewer, .integrationsRead),
        "One integration"
    )
    package static let updateIntegration = Route(
        .patch,
        "/api/v1/integrations/{id}",
        .integrations,
        .member(.admin, .integrationsWrite),
        "Change an integration"
    )
    package static let deleteIntegration = Route(
        .delete,
        "/api/v1/integrations/{id}",
        .integrations,
        .member(.admin, .integrationsWrite),
        "Disconnect an integration"
    )
    package static let testIntegration = Route(
        .post,
        "/api/v1/integrations/{id}/test",
        .integrations,
        .member(.admin, .integrationsWrite),
        "Test the connection",
        timeout: 40
    )
    package static let startSync = Route(
        .post,
        "/api/v1/integrations/{id}/sync",
        .integrations,
        .member(.admin, .integrationsWrite),
        "Sync now"
    )
    package static let listSyncRuns = Route(
        .get,
        "/api/v1/integrations/{id}/syncs",
        .integrations,
        .member(.viewer, .integrationsRead),
        "List sync runs"
    )
    package static let readChanges = Route(
        .get,
        "/internal/changes",
        .integrations,
        .service([.campaigns]),
        "Read the change feed of one organization"
    )
    package static let readChangeHeads = Route(
        .get,
        "/internal/changes/heads",
        .integrations,
        .service([.campaigns]),
        "Newest position per organization"
    )
    package static let findSender = Route(
        .get,
        "/internal/senders",
        .integrations,
        .service([.campaigns]),
        "What an integration of an organization can send"
    )
    package static let sendMessages = Route(
        .post,
        "/internal/messages",
        .integrations,
        .service([.campaigns]),
        "Send a batch; one outcome line per message",
        timeout: 300
    )
}
