import Foundation
import Logging
import Models
import ServiceKit

/// The answer of `GET /admin/dashboard/overview`. A part that is missing is null, and its service says why.
struct Overview: Encodable, Sendable {
    var generatedAt: Date
    var organization: GatheredPart<OrganizationFigures>
    var integrations: GatheredPart<IntegrationsSummary>
    var campaigns: GatheredPart<CampaignsSummary>
    var webhooks: GatheredPart<WebhooksSummary>
    var activity: [ActivityItem]

    private enum CodingKeys: String, CodingKey {
        case services, organization, integrations, campaigns, webhooks, activity
        case generatedAt = "generated_at"
    }

    var services: [String: ServiceStanding] {
        [
            ServiceName.gateway.rawValue: self.organization.standing,
            ServiceName.integrations.rawValue: self.integrations.standing,
            ServiceName.campaigns.rawValue: self.campaigns.standing,
            ServiceName.webhooks.rawValue: self.webhooks.standing,
        ]
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.generatedAt, forKey: .generatedAt)
        try container.encode(self.services, forKey: .services)
        try container.encode(self.organization.value, forKey: .organization)
        try container.encode(self.integrations.value, forKey: .integrations)
        try container.encode(self.campaigns.value, forKey: .campaigns)
        try container.encode(self.webhooks.value, forKey: .webhooks)
        try container.encode(self.activity, forKey: .activity)
    }
}

/// Gathers the overview from its owners, side by side.
struct OverviewGatherer: Sendable {
    /// For each part; the whole takes hardly longer.
    static let limit = Duration.seconds(3)

    let store: OverviewStore
    let client: @Sendable (ServiceName) -> ServiceClient
    let logger: Logger

    func overview(for principal: Principal) async -> Overview {
        let gathering = Gathering(principal: principal, limit: Self.limit, logger: self.logger)
        let (store, organization) = (self.store, principal.organizationID)
        async let own = gathering.part(.gateway) { try await store.figures(of: organization) }
        async let audited = gathering.part(.gateway, needing: .auditRead) { try await store.activity(of: organization) }
        async let integrations: GatheredPart<IntegrationsSummary> = self.ask(.integrationsSummary, .integrationsRead, gathering)
        async let campaigns: GatheredPart<CampaignsSummary> = self.ask(.campaignsSummary, .campaignsRead, gathering)
        async let webhooks: GatheredPart<WebhooksSummary> = self.ask(.webhooksSummary, .webhooksRead, gathering)
        var figures = await own
        let (entries, brought) = await (audited, webhooks)
        // What its own log could not tell is missing, too, even where the figures came. Without the scope nothing is missing.
        if entries.standing.status == .degraded, figures.standing == .ok { figures.standing = entries.standing }
        return await Overview(
            generatedAt: Date(),
            organization: figures,
            integrations: integrations,
            campaigns: campaigns,
            webhooks: brought,
            activity: Activity.merge(entries.value ?? [], brought.value?.newestEvents ?? [])
        )
    }

    private func ask<Summary: Decodable & Sendable>(
        _ route: Route,
        _ scope: Scope,
        _ gathering: Gathering
    ) async -> GatheredPart<Summary> {
        let client = self.client(route.service)
        return await gathering.part(route.service, needing: scope) {
            try await client.call(route, principal: gathering.principal, isIdempotent: true)
        }
    }
}
