import Hummingbird
import Models
import ServiceKit

struct AuditRoutes: Sendable {
    let store: AuditStore
    let reader: AuditReader

    func mount(on table: RouteTable) {
        table.mount(.listAuditLogs, self.list)
        table.mountInternal(.recordAudit, self.record)
    }

    private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page(alsoAllowing: AuditFilter.names)
        let items = try await self.reader.list(try AuditFilter(request), page, in: context.organizationID)
        return try .json(Page(fetched: items, request: page, id: \.position))
    }

    private func record(_ request: Request, _ context: PeerContext) async throws -> Response {
        let batch = try await request.decodeBody(AuditBatch.self)
        // A process speaks for itself only.
        guard batch.entries.allSatisfy({ $0.service == context.identity.caller }) else {
            throw Problem(.forbidden, "An entry names another service than the one that sends it.")
        }
        return try .json(IntakeReceipt(stored: try await self.store.take(batch.entries)))
    }
}
