import Hummingbird
import Models
import ServiceKit

/// `/api/v1/admin/webhooks/event-logs`, and the summary for the overview.
struct WebhookAdminRoutes: Sendable {
    let log: EventLogStore
    let summaries: WebhookSummaryStore

    func mount(in table: RouteTable) {
        table.mount(.listEventLogs, self.list)
        table.mountInternal(.webhooksSummary) { _, context in
            try .json(try await self.summaries.summary(of: context.organizationID))
        }
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let (limit, before) = try request.textPage(alsoAllowing: EventLogFilter.names)
        let filter = try EventLogFilter(event: request.query("event"), state: request.query("state"))
        let events = try await self.log.list(limit, before: before, filter, in: context.organizationID)
        return try .json(Page(fetched: events, limit: limit, id: \.id))
    }
}
