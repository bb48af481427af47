import Database
import Hummingbird
import Models
import ServiceKit

/// Deliveries that somebody asks for: `POST /api/v1/webhooks/deliveries/{id}/redeliver` and `POST /api/v1/zapier/webhooks/{id}/test`.
struct RedeliveryRoutes: Sendable {
    let maker: DeliveryMaker
    let idempotency: Idempotency
    let outbox: Outbox

    func mount(in table: RouteTable) {
        table.mount(.redeliver, self.redeliver)
        table.mount(.testSubscription, self.test)
    }

    @Sendable private func redeliver(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: DeliveryID = try context.id()
        // A body means nothing here, but an Idempotency-Key stands for the one that it came with.
        let body = Array(try await request.collect(upTo: RequestLimits.body).readableBytesView)
        return try await self.idempotency.perform(request, context, body: body) { transaction in
            let made = try self.maker.again(id, in: context.organizationID, transaction)
            try self.outbox.audit(
                "delivery.redelivered",
                target: "delivery:\(id)",
                details: ["new": .integer(made.id.rawValue)],
                by: context,
                in: transaction
            )
            return try .json(DeliveryResponse(made), status: 202)
        }
    }

    /// Body: `{"event"}`, one of the subscription's events; its first where none is named.
    @Sendable private func test(_ request: Request, _ context: CallerContext) async throws -> Response {
        let (id, organization): (SubscriptionID, OrganizationID) = (try context.id(), context.organizationID)
        let body = try await request.jsonBody()
        var fields = FieldReader(body.value)
        let name = fields.optionalString("event", 1...100)
        try fields.finish()
        return try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            guard let subscription = try SubscriptionStore.lock(id, in: organization, transaction) else { throw Problem.notFound }
            try subscription.checkIsActive()
            guard let type = (name ?? subscription.eventTypes.first).flatMap(EventType.init),
                subscription.eventTypes.contains(type.rawValue)
            else {
                let known = subscription.eventTypes.joined(separator: ", ")
                throw Problem.validation([.init(pointer: "/event", detail: "must be one of the subscription's events: \(known)")])
            }
            let made = try self.maker.test(type, of: id, in: organization, transaction)
            return try .json(DeliveryResponse(made), status: 202)
        }
    }
}
