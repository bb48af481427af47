import Database
import Hummingbird
import Models
import ServiceKit

/// `GET /api/v1/campaigns/{id}/messages?state=`: who got it, who did not, and why.
struct MessageRoutes: Sendable {
    let messages: MessageStore
    let campaigns: CampaignStore

    func mount(on table: RouteTable) {
        table.mount(.listMessages) { request, context in try await self.list(request, context) }
    }

    private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page(alsoAllowing: ["state"])
        let state = try request.query("state").map(Self.state)
        let id: CampaignID = try context.id()
        let key = CampaignKey(organization: context.organizationID, id: id)
        let fetched = try await self.messages.list(page, of: key, state: state)
        if fetched.isEmpty, try await self.campaigns.find(id, in: context.organizationID) == nil { throw Problem.notFound }
        return try .json(Page(fetched: fetched, request: page) { $0.contactID.rawValue })
    }

    private static func state(_ text: String) throws -> MessageState {
        guard let state = MessageState(rawValue: text) else {
            let known = MessageState.allCases.map(\.rawValue).joined(separator: ", ")
            throw Problem.validation([.init(pointer: "?state", detail: "Must be one of \(known).")])
        }
        return state
    }
}

struct MessageStore: Sendable {
    let database: Postgres

    /// By contact, newest contact first; one more than the page holds.
    func list(_ page: PageRequest, of campaign: CampaignKey, state: MessageState?) async throws -> [Message] {
        var query: Query = """
            SELECT \(raw: Message.columns) FROM messages
            WHERE organization_id = \(campaign.organization) AND campaign_id = \(campaign.id)
            """
        if let state { query = query + " AND state = \(state)" }
        if let before = page.before { query = query + " AND contact_id < \(before)" }
        return try await self.database.read(query + " ORDER BY contact_id DESC LIMIT \(page.limit + 1)")
    }
}
