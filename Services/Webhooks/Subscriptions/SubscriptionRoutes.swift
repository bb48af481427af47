import Database
import Foundation
import Hummingbird
import Models
import ServiceKit
import Transport

/// `/api/v1/zapier/webhooks`: the REST-hook contract of Zapier, and of everyone else.
struct SubscriptionRoutes: Sendable {
    let store: SubscriptionStore
    let outboundGuard: OutboundGuard
    let idempotency: Idempotency
    let outbox: Outbox
    /// Woken when a subscription has ended.
    let ended: WakeSignal

    func mount(in table: RouteTable) {
        table.mount(.createSubscription, self.create)
        table.mount(.listSubscriptions, self.list)
        table.mount(.getSubscription, self.show)
        table.mount(.deleteSubscription, self.delete)
    }

    @Sendable func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body = try await request.jsonBody()
        let new = try NewSubscription(body.value, outboundGuard: self.outboundGuard)
        let secret = try WebhookSecret.make()
        return try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            let subscription = try self.store.insert(new, secret: secret, in: context.organizationID, transaction)
            try self.outbox.audit(
                "subscription.created",
                target: "subscription:\(subscription.id)",
                details: [
                    "url": .string(subscription.displayURL), "trigger_events": .array(subscription.eventTypes.map(JSONValue.string)),
                ],
                by: context,
                in: transaction
            )
            return try .json(SubscriptionResponse(subscription, secret: secret), status: 201)
        }
    }

    @Sendable func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page()
        let found = try await self.store.list(page, in: context.organizationID).map { SubscriptionResponse($0) }
        return try .json(Page(fetched: found, request: page, id: { $0.id.rawValue }))
    }

    @Sendable func show(_ request: Request, _ context: CallerContext) async throws -> Response {
        guard let subscription = try await self.store.find(try context.id(), in: context.organizationID) else { throw Problem.notFound }
        return try .json(SubscriptionResponse(subscription))
    }

    /// 204 also where there is none: Zapier repeats it, and gives up on whoever answers otherwise. Another organization's id is one of those.
    @Sendable func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: SubscriptionID = try context.id()
        let didEnd = try await self.store.database.transaction { transaction in
            guard try SubscriptionStore.end(id, in: context.organizationID, because: .deleted, transaction) else { return false }
            try self.outbox.audit("subscription.deleted", target: "subscription:\(id)", by: context, in: transaction)
            return true
        }
        if didEnd { self.ended.wake() }
        return .noContent
    }
}

struct SubscriptionResponse: Encodable, Sendable {
    var id: SubscriptionID
    /// The host and nothing of the path.
    var webhookURL: String
    var triggerEvents: [String]
    var description: String?
    /// Only in the answer to the creation.
    var secret: String?
    var createdAt: Date

    init(_ subscription: Subscription, secret: WebhookSecret? = nil) {
        self.id = subscription.id
        self.webhookURL = subscription.displayURL
        self.triggerEvents = subscription.eventTypes
        self.description = subscription.description
        self.secret = secret?.text.reveal()
        self.createdAt = subscription.createdAt
    }

    enum CodingKeys: String, CodingKey {
        case id, description, secret
        case webhookURL = "webhook_url"
        case triggerEvents = "trigger_events"
        case createdAt = "created_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.id, forKey: .id)
        try container.encode(self.webhookURL, forKey: .webhookURL)
        try container.encode(self.triggerEvents, forKey: .triggerEvents)
        try container.encode(self.description, forKey: .description)
        try container.encodeIfPresent(self.secret, forKey: .secret)
        try container.encode(self.createdAt, forKey: .createdAt)
    }
}
