import Foundation
import Hummingbird
import Models
import ServiceKit

struct UsageRoutes: Sendable {
    let usage: UsageStore
    let keys: APIKeyStore

    func mount(on table: RouteTable) {
        table.mount(.keyUsage, self.ofKey)
        table.mount(.usageAnalytics, self.analytics)
    }

    private func ofKey(_ request: Request, _ context: CallerContext) async throws -> Response {
        let query = try UsageQuery(request, now: Date())
        let organization = context.organizationID
        guard let key = try await self.keys.find(try context.id(), in: organization) else { throw Problem.notFound }
        return try .json(KeyUsage(query, try await self.usage.usage(of: key.id, query, in: organization)))
    }

    private func analytics(_ request: Request, _ context: CallerContext) async throws -> Response {
        let query = try UsageQuery(request, now: Date())
        let groups = try await self.usage.analytics(query, in: context.organizationID)
        let names = try await self.usage.names(of: groups.compactMap(\.key), in: context.organizationID)
        return try .json(UsageAnalytics(query, groups, names: names))
    }
}
