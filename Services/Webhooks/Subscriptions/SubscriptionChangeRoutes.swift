import Database
import Foundation
import Hummingbird
import Models
import ServiceKit
import Transport

/// Changes to a subscription: `PATCH /api/v1/zapier/webhooks/{id}`, and `pause`, `resume`, `rotate-secret` below it.
struct SubscriptionChangeRoutes: Sendable {
    /// Seconds for which the old secret signs as well: a day where the request does not say, at most a week.
    private static let usualGrace: Int64 = 86_400
    private static let longestGrace: Int64 = 604_800

    let store: SubscriptionStore
    let outboundGuard: OutboundGuard
    let idempotency: Idempotency
    let outbox: Outbox
    /// Woken when what waited may go.
    let due: WakeSignal

    func mount(in table: RouteTable) {
        table.mount(.updateSubscription, self.update)
        table.mount(.pauseSubscription) { request, context in try await self.setPaused(true, request, context) }
        table.mount(.resumeSubscription) { request, context in try await self.setPaused(false, request, context) }
        table.mount(.rotateSubscriptionSecret, self.rotate)
    }

    @Sendable private func update(_ request: Request, _ context: CallerContext) async throws -> Response {
        let (id, organization): (SubscriptionID, OrganizationID) = (try context.id(), context.organizationID)
        let body = try await request.jsonBody().value
        let changed = try await self.store.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            let subscription = try self.locked(id, in: organization, transaction)
            var reader = SubscriptionReader(body, outboundGuard: self.outboundGuard)
            let changed = try self.store.update(try reader.change(of: subscription), in: organization, transaction)
            try self.outbox.audit(
                "subscription.updated",
                target: "subscription:\(id)",
                details: ["fields": .array((body.objectValue ?? [:]).keys.sorted().map(JSONValue.string))],
                by: context,
                in: transaction
            )
            return changed
        }
        self.due.wake()
        return try .json(SubscriptionResponse(changed))
    }

    private func setPaused(_ isPaused: Bool, _ request: Request, _ context: CallerContext) async throws -> Response {
        let (id, organization): (SubscriptionID, OrganizationID) = (try context.id(), context.organizationID)
        let changed = try await self.store.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            // Lanes go on with a resumed subscription: as always, their locks come first.
            if !isPaused { try EventStore.lockHeads([organization], transaction) }
            let subscription = try self.locked(id, in: organization, transaction)
            // A repeat changes nothing and is no entry.
            if isPaused ? subscription.pausedAt != nil : subscription.state == .active { return subscription }
            let changed = try self.store.setPaused(isPaused, id, in: organization, transaction)
            if subscription.state == .disabled { try OrderedLane.promoteAll(of: id, in: organization, transaction) }
            let action = isPaused ? "subscription.paused" : "subscription.resumed"
            try self.outbox.audit(action, target: "subscription:\(id)", by: context, in: transaction)
            return changed
        }
        if !isPaused { self.due.wake() }
        return try .json(SubscriptionResponse(changed))
    }

    /// The answer shows the new secret, this once.
    @Sendable private func rotate(_ request: Request, _ context: CallerContext) async throws -> Response {
        let (id, organization): (SubscriptionID, OrganizationID) = (try context.id(), context.organizationID)
        let body = try await request.jsonBody()
        var fields = FieldReader(body.value)
        let grace = fields.integer("grace_seconds", 0...Self.longestGrace, default: Self.usualGrace)
        try fields.finish()
        let secret = try WebhookSecret.make()
        return try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            let subscription = try self.locked(id, in: organization, transaction)
            // Receivers were promised that it signs until then; who must be rid of it at once says so.
            if grace > 0, let until = subscription.previousSecretUntil, until > Date() {
                throw Problem(.conflict, "The secret before signs until \(Timestamp.format(until)); grace_seconds 0 ends both now.")
            }
            let changed = try self.store.rotate(to: secret, grace: Int(grace), id, in: organization, transaction)
            try self.outbox.audit(
                "subscription.secret_rotated",
                target: "subscription:\(id)",
                details: ["grace_seconds": .integer(grace)],
                by: context,
                in: transaction
            )
            return try .json(SubscriptionResponse(changed, secret: secret), status: 200)
        }
    }

    private func locked(_ id: SubscriptionID, in organization: OrganizationID, _ transaction: Transaction) throws -> Subscription {
        guard let subscription = try SubscriptionStore.lock(id, in: organization, transaction) else { throw Problem.notFound }
        return subscription
    }
}
