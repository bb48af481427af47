/// Every route of the platform, public and internal, once. What is not here is not served.
package enum RouteCatalogue {
    package static let all: [Route] = gateway + integrations + campaigns + webhooks

    package static let gateway: [Route] = [
        .register, .login, .refreshSession, .logout, .me,
        .createKey, .listKeys, .getKey, .revokeKey, .publicUser,
        .recordAudit,
    ]

    package static let integrations: [Route] = [
        .listProviders, .createIntegration, .listIntegrations, .getIntegration, .updateIntegration, .deleteIntegration,
        .testIntegration, .startSync, .listSyncRuns,
        .readChanges, .readChangeHeads, .sendMessages,
    ]

    package static let campaigns: [Route] = [
        .listContacts, .getContact,
        .createCampaign, .listCampaigns, .getCampaign, .updateCampaign, .deleteCampaign,
        .scheduleCampaign, .sendCampaign, .pauseCampaign, .resumeCampaign, .cancelCampaign, .listMessages,
        .nudgeChanges,
    ]

    package static let webhooks: [Route] = [
        .listEventTypes, .createSubscription, .listSubscriptions, .getSubscription, .deleteSubscription,
        .listDeliveries, .getDelivery,
        .takeEvents,
    ]
}

// MARK: - Gateway

extension Route {
    package static let register = Route(.post, "/api/v1/auth/register", .gateway, .anyone, "Create a user and their organization")
    package static let login = Route(.post, "/api/v1/auth/login", .gateway, .anyone, "Sign in with email and password")
    package static let refreshSession = Route(.post, "/api/v1/auth/refresh", .gateway, .anyone, "Exchange a refresh token for new tokens")
    package static let logout = Route(.post, "/api/v1/auth/logout", .gateway, .user(.viewer), "End this session")
    package static let me = Route(.get, "/api/v1/auth/me", .gateway, .user(.viewer), "The signed-in user, organization and role")
    package static let createKey = Route(
        .post,
        "/api/v1/api/keys",
        .gateway,
        .member(.admin, .keysWrite),
        "Create an API key",
        idempotent: true
    )
    package static let listKeys = Route(.get, "/api/v1/api/keys", .gateway, .member(.admin, .keysRead), "List API keys")
    package static let getKey = Route(.get, "/api/v1/api/keys/{id}", .gateway, .member(.admin, .keysRead), "One API key")
    package static let revokeKey = Route(.delete, "/api/v1/api/keys/{id}", .gateway, .member(.admin, .keysWrite), "Revoke an API key")
    package static let publicUser = Route(
        .get,
        "/api/v1/api/public/user",
        .gateway,
        .member(.viewer, .organizationRead),
        "Who this API key acts for"
    )
    package static let recordAudit = Route(
        .post,
        "/internal/audit",
        .gateway,
        .service([.integrations, .campaigns, .webhooks]),
        "Take audit entries from an outbox"
    )
}

// MARK: - Integrations

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
        timeout: 60
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
    package static let sendMessages = Route(
        .post,
        "/internal/messages",
        .integrations,
        .service([.campaigns]),
        "Send a batch; one outcome line per message",
        timeout: 300
    )
}

// MARK: - Campaigns

extension Route {
    package static let listContacts = Route(
        .get,
        "/api/v1/contacts",
        .campaigns,
        .member(.viewer, .contactsRead),
        "List contacts"
    )
    package static let getContact = Route(
        .get,
        "/api/v1/contacts/{id}",
        .campaigns,
        .member(.viewer, .contactsRead),
        "One contact"
    )
    package static let createCampaign = Route(
        .post,
        "/api/v1/campaigns",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Create a campaign",
        idempotent: true
    )
    package static let listCampaigns = Route(
        .get,
        "/api/v1/campaigns",
        .campaigns,
        .member(.viewer, .campaignsRead),
        "List campaigns"
    )
    package static let getCampaign = Route(
        .get,
        "/api/v1/campaigns/{id}",
        .campaigns,
        .member(.viewer, .campaignsRead),
        "One campaign with its counts"
    )
    package static let updateCampaign = Route(
        .patch,
        "/api/v1/campaigns/{id}",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Change a draft or scheduled campaign"
    )
    package static let deleteCampaign = Route(
        .delete,
        "/api/v1/campaigns/{id}",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Delete a campaign that was never sent"
    )
    package static let scheduleCampaign = Route(
        .post,
        "/api/v1/campaigns/{id}/schedule",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Send at a time",
        idempotent: true
    )
    package static let sendCampaign = Route(
        .post,
        "/api/v1/campaigns/{id}/send",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Send now",
        idempotent: true
    )
    package static let pauseCampaign = Route(
        .post,
        "/api/v1/campaigns/{id}/pause",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Stop claiming messages"
    )
    package static let resumeCampaign = Route(
        .post,
        "/api/v1/campaigns/{id}/resume",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Go on after a pause"
    )
    package static let cancelCampaign = Route(
        .post,
        "/api/v1/campaigns/{id}/cancel",
        .campaigns,
        .member(.editor, .campaignsWrite),
        "Give up what is not sent yet"
    )
    package static let listMessages = Route(
        .get,
        "/api/v1/campaigns/{id}/messages",
        .campaigns,
        .member(.viewer, .campaignsRead),
        "Messages of a campaign, by state"
    )
    package static let nudgeChanges = Route(
        .post,
        "/internal/nudges/changes",
        .campaigns,
        .service([.integrations]),
        "The change feed of an organization has grown"
    )
}

// MARK: - Webhooks

extension Route {
    package static let listEventTypes = Route(
        .get,
        "/api/v1/zapier/events",
        .webhooks,
        .member(.viewer, .eventsRead),
        "The event catalogue"
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
    package static let takeEvents = Route(
        .post,
        "/internal/events",
        .webhooks,
        .service([.gateway, .integrations, .campaigns]),
        "Take events from an outbox"
    )
}
