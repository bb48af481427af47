import Database
import Foundation
import Hummingbird
import Models
import ServiceKit
import Transport

/// `/api/v1/zapier/webhooks`: the REST-hook contract of Zapier, and of everyone else.
struct SubscriptionRoutes: Sendable {
    let store: SubscriptionStore
    let health: EndpointHealthStore
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
        table.mount(.subscriptionHealth) { _, context in
            guard let report = try await self.health.report(try context.id(), in: context.organizationID) else { throw Problem.notFound }
            return try .json(report)
        }
    }

    @Sendable func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body = try await request.jsonBody()
        var reader = SubscriptionReader(body.value, outboundGuard: self.outboundGuard)
        let new = try reader.subscription()
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
        return try .json(Page(fetched: found, request: page, id: { $0.subscription.id.rawValue }))
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
