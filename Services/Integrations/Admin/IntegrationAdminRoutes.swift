import Hummingbird
import Models
import ServiceKit

/// `/api/v1/admin/integrations`, and the summary for the overview.
struct IntegrationAdminRoutes: Sendable {
    let providers: Providers
    let store: IntegrationAdminStore
    let tester: BulkTester

    func mount(on table: RouteTable) {
        table.mount(.adminIntegrations, self.list)
        table.mount(.adminProviders, self.catalogue)
        table.mount(.bulkTest, self.test)
        table.mountInternal(.integrationsSummary) { _, context in
            try .json(try await self.store.summary(of: context.organizationID))
        }
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page(alsoAllowing: ["provider"])
        let fetched = try await self.store.list(page, provider: request.query("provider"), in: context.organizationID)
        let runs = try await self.store.runs(fetched.compactMap(\.lastRunID), in: context.organizationID)
        let views = fetched.map { item in
            AdminIntegrationView(
                view: IntegrationView(item.integration, self.providers[item.integration.provider]?.definition),
                health: item.health,
                lastSync: item.lastRunID.flatMap { runs[$0] }.map(SyncRunView.init)
            )
        }
        return try .json(Page(fetched: views, request: page, id: { $0.view.id.rawValue }))
    }

    @Sendable private func catalogue(_ request: Request, _ context: CallerContext) async throws -> Response {
        _ = try request.page()
        let counts = try await self.store.providers(in: context.organizationID)
        let views = self.providers.definitions.map { definition in
            AdminProviderView(definition: definition, count: counts.first { $0.provider == definition.key })
        }
        return try .json(Page(data: views, nextCursor: nil))
    }

    @Sendable private func test(_ request: Request, _ context: CallerContext) async throws -> Response {
        let input = try BulkTestInput(try await request.jsonBody().value)
        let organization = context.organizationID
        let targets: [TestTarget]
        var beyond = 0
        if let ids = input.ids {
            targets = try await self.store.find(ids, in: organization)
            try BulkTestInput.check(ids, found: targets)
        } else {
            let (newest, count) = try await self.store.newest(BulkTestInput.most, in: organization)
            targets = newest
            beyond = max(0, count - newest.count)
        }
        return try .json(BulkTestAnswer(await self.tester.run(targets, in: organization), notTested: beyond))
    }
}
