import Hummingbird
import Models
import ServiceKit

struct NoticeRoutes: Sendable {
    /// Bytes of a body.
    private static let bodyLimit = 16 << 10

    let store: NoticeStore
    let feed: NoticeFeed
    let settings: NoticeSettingsStore

    func mount(on table: RouteTable) {
        table.mount(.listNotifications, self.list)
        table.mount(.countUnreadNotifications, self.count)
        table.mount(.readNotification, self.read)
        table.mount(.readAllNotifications, self.readAll)
        table.mount(.notificationSettings, self.showSettings)
        table.mount(.changeNotificationSettings, self.changeSettings)
        table.mountInternal(.takeNotices, self.take)
    }

    private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.textPage(alsoAllowing: ["unread"])
        let entries = try await self.feed.list(
            FeedReader(context),
            unreadOnly: try request.flag("unread"),
            limit: page.limit,
            before: page.before
        )
        return try .json(Page(fetched: entries, limit: page.limit, id: \.id))
    }

    private func count(_ request: Request, _ context: CallerContext) async throws -> Response {
        try .json(["unread": try await self.feed.unread(FeedReader(context))])
    }

    private func read(_ request: Request, _ context: CallerContext) async throws -> Response {
        guard let id = context.parameters.get("id"), try await self.feed.markRead(id, by: FeedReader(context)) else {
            throw Problem.notFound
        }
        return .noContent
    }

    private func readAll(_ request: Request, _ context: CallerContext) async throws -> Response {
        try await self.feed.markAllRead(by: FeedReader(context))
        return .noContent
    }

    private func showSettings(_ request: Request, _ context: CallerContext) async throws -> Response {
        let user = context.principal.userID
        return try .json(try await self.settings.settings(of: user, as: context.principal.role, in: context.organizationID))
    }

    private func changeSettings(_ request: Request, _ context: CallerContext) async throws -> Response {
        let settings = try NoticeSettings(try await request.jsonBody(limit: Self.bodyLimit).value, for: context.principal.role)
        try await self.settings.replace(settings, of: context.principal.userID, in: context.organizationID)
        return try .json(settings)
    }

    private func take(_ request: Request, _ context: PeerContext) async throws -> Response {
        let notices = try await request.decodeBody(NoticeBatch.self).notices
        // A process speaks for itself only.
        guard notices.allSatisfy({ $0.service == context.identity.caller }) else {
            throw Problem(.forbidden, "A notice names another service than the one that sends it.")
        }
        let faults = notices.enumerated().flatMap { index, notice in notice.faults(at: "/notices/\(index)") }
        guard faults.isEmpty else { throw Problem.validation(faults) }
        return try .json(IntakeReceipt(stored: try await self.store.take(notices)))
    }
}

extension FeedReader {
    fileprivate init(_ context: CallerContext) {
        self.init(organization: context.organizationID, user: context.principal.userID, role: context.principal.role)
    }
}

extension Request {
    /// `true` or `false`; false where it is not given.
    fileprivate func flag(_ name: String) throws -> Bool {
        guard let text = self.query(name) else { return false }
        guard let value = Bool(text) else { throw Problem.validation([.init(pointer: "?\(name)", detail: "must be true or false")]) }
        return value
    }
}
