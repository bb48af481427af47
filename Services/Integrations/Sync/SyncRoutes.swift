import Database
import Hummingbird
import Models
import ServiceKit

struct SyncRoutes: Sendable {
    let providers: Providers
    let integrations: IntegrationStore
    let syncs: SyncStore
    let outbox: Outbox

    func mount(on table: RouteTable) {
        table.mount(.startSync, self.start)
        table.mount(.listSyncRuns, self.list)
    }

    @Sendable private func start(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: IntegrationID = try context.id()
        let run = try await self.syncs.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            guard let integration = try self.integrations.locked(id, in: context.organizationID, transaction) else {
                throw Problem.notFound
            }
            guard integration.syncInterval != nil else { throw Problem(.conflict, "This provider has nothing to sync.") }
            guard integration.status == .enabled else {
                throw Problem(.conflict, "The integration is \(integration.status.rawValue): enable it first.")
            }
            guard let run = try self.syncs.request(id, in: context.organizationID, cause: .request, transaction) else {
                throw Problem(.internal, "The sync was not stored.")
            }
            try self.outbox.audit(
                "integration.sync_requested",
                target: "integration:\(id)",
                details: ["sync_id": .integer(run.id)],
                by: context,
                in: transaction
            )
            return run
        }
        return try .json(SyncRunView(run: run), status: .accepted)
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: IntegrationID = try context.id()
        let page = try request.page()
        guard try await self.integrations.find(id, in: context.organizationID) != nil else { throw Problem.notFound }
        let runs = try await self.syncs.list(page, of: id, in: context.organizationID).map(SyncRunView.init)
        return try .json(Page(fetched: runs, request: page, id: { $0.run.id }))
    }
}
