import Foundation
import Hummingbird
import Models
import ServiceKit

/// `/api/v1/admin/campaigns/analytics`, and the summary for the overview.
struct AnalyticsRoutes: Sendable {
    let analytics: AnalyticsStore

    func mount(on table: RouteTable) {
        table.mount(.campaignAnalytics) { request, context in try await self.show(request, context) }
        table.mountInternal(.campaignsSummary) { _, context in
            try .json(try await self.analytics.summary(of: context.organizationID, now: Date()))
        }
    }

    private func show(_ request: Request, _ context: CallerContext) async throws -> Response {
        let query = try AnalyticsQuery(request, now: Date())
        async let days = self.analytics.days(query, in: context.organizationID)
        let fetched = try await self.analytics.campaigns(query, in: context.organizationID)
        let counted = try await days
        return try .json(
            CampaignAnalytics(
                from: query.from,
                to: query.to,
                totals: MessageSums(counted),
                days: counted,
                campaigns: Page(fetched: fetched, request: query.page) { $0.id.rawValue }
            )
        )
    }
}
