import Hummingbird
import Models
import ServiceKit

struct ChangeFeedRoutes: Sendable {
    static let pageLimits = 1...1000
    static let defaultLimit = 500

    let feed: ChangeFeedStore

    func mount(on table: RouteTable) {
        table.mountInternal(.readChanges, self.changes)
        table.mountInternal(.readChangeHeads, self.heads)
    }

    @Sendable private func changes(_ request: Request, _ context: PeerContext) async throws -> Response {
        guard let organization = request.query("organization_id").flatMap(OrganizationID.init(_:)) else {
            throw Problem.validation([.init(pointer: "?organization_id", detail: "must be an id")])
        }
        let after = try Self.number(request, "after", default: 0)
        let page = try await self.feed.page(after: after, limit: try Self.limit(request), in: organization)
        return try .json(page)
    }

    @Sendable private func heads(_ request: Request, _ context: PeerContext) async throws -> Response {
        let after = try Self.number(request, "after_organization", default: 0)
        return try .json(try await self.feed.heads(after: OrganizationID(rawValue: after), limit: try Self.limit(request)))
    }

    private static func limit(_ request: Request) throws -> Int {
        let limit = Int(try Self.number(request, "limit", default: Int64(Self.defaultLimit)))
        return min(max(limit, Self.pageLimits.lowerBound), Self.pageLimits.upperBound)
    }

    private static func number(_ request: Request, _ name: String, default: Int64) throws -> Int64 {
        guard let text = request.query(name) else { return `default` }
        guard let number = Int64(text), number >= 0 else {
            throw Problem.validation([.init(pointer: "?\(name)", detail: "must be a whole number that is not negative")])
        }
        return number
    }
}
