import Foundation
import Hummingbird
import Models
import ServiceKit

/// `/api/v1/webhooks/events`: the pull twin of every subscription, and one event's page; and why it reached a subscription or did not.
struct EventRoutes: Sendable {
    /// Deliveries shown on an event's page, the newest.
    private static let deliveriesShown = 200

    let feed: EventFeed
    let log: DeliveryLog
    let explainer: DeliveryExplainer

    func mount(in table: RouteTable) {
        table.mount(.pullEvents, self.pull)
        table.mount(.getEvent, self.show)
        table.mount(.explainDelivery, self.explain)
    }

    /// `?after=&limit=&type=`. The answer's `next_cursor` is what to ask with the next time, also where nothing is new.
    @Sendable private func pull(_ request: Request, _ context: CallerContext) async throws -> Response {
        let query = try FeedQuery(request)
        let organization = context.organizationID
        guard let after = query.after else {
            let end = try await self.feed.end(in: organization)
            return try .json(FeedResponse(data: [], nextCursor: Cursor.encode(end), hasMore: false))
        }
        let found = try await self.feed.after(after, query.limit, types: query.types, in: organization)
        return try .json(FeedResponse(data: found.entries.map(\.event), nextCursor: Cursor.encode(found.next), hasMore: found.hasMore))
    }

    @Sendable private func show(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id = try context.eventID()
        guard let event = try await self.explainer.event(id, in: context.organizationID) else { throw Problem.notFound }
        let deliveries = try await self.log.deliveries(of: id, Self.deliveriesShown, in: context.organizationID)
        return try .json(EventPageResponse(event: event, deliveries: deliveries.map { DeliveryResponse($0, $1) }))
    }

    /// What each rule says.
    @Sendable private func explain(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id = try context.eventID()
        let subscription: SubscriptionID = try context.id()
        guard let explanation = try await self.explainer.explain(id, to: subscription, in: context.organizationID) else {
            throw Problem.notFound
        }
        return try .json(explanation)
    }
}

/// What a reader of the feed asks for.
struct FeedQuery {
    /// nil: from now on. `start` is the oldest event that is still there.
    var after: Int64?
    var limit: Int
    var types: [EventType] = []

    /// - Throws: one validation ``Problem`` that names every fault.
    init(_ request: Request) throws {
        let page = try request.page(alsoAllowing: ["after", "type"])
        self.limit = page.limit
        var faults: [Problem.Fault] = []
        if page.before != nil { faults.append(.init(pointer: "?cursor", detail: "is not a known parameter; a feed goes on with ?after")) }
        switch request.query("after") {
        case nil: self.after = nil
        case "start": self.after = 0
        case let text?:
            self.after = Cursor.decode(text)
            if self.after == nil {
                faults.append(.init(pointer: "?after", detail: "must be start, or the next_cursor of an answer before"))
            }
        }
        if let names = request.query("type") {
            for name in names.split(separator: ",", omittingEmptySubsequences: false) {
                if let type = EventType(rawValue: String(name)) {
                    self.types.append(type)
                } else {
                    faults.append(.init(pointer: "?type", detail: "there is no event type \(name.prefix(100))"))
                }
            }
        }
        guard faults.isEmpty else { throw Problem.validation(faults) }
    }
}

struct FeedResponse: Encodable {
    var data: [Event]
    /// Never null: a feed has no end.
    var nextCursor: String
    var hasMore: Bool

    enum CodingKeys: String, CodingKey {
        case data
        case nextCursor = "next_cursor"
        case hasMore = "has_more"
    }
}

struct EventPageResponse: Encodable {
    var event: StoredEvent
    var deliveries: [DeliveryResponse]

    enum CodingKeys: String, CodingKey {
        case id, type, timestamp, data, quarantine, deliveries
        case receivedAt = "received_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.event.event.id, forKey: .id)
        try container.encode(self.event.event.type, forKey: .type)
        try container.encode(self.event.event.timestamp, forKey: .timestamp)
        try container.encode(self.event.receivedAt, forKey: .receivedAt)
        try container.encode(self.event.quarantine, forKey: .quarantine)
        try container.encode(self.event.event.data, forKey: .data)
        try container.encode(self.deliveries, forKey: .deliveries)
    }
}
