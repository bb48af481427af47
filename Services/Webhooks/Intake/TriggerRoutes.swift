import Database
import Foundation
import Hummingbird
import Models
import ServiceKit

/// `POST /api/v1/zapier/trigger/{event}`: a client tells of an event of the catalogue. Its body is the event's `data`.
struct TriggerRoutes: Sendable {
    /// Bytes of an event's `data` that a client may tell: many events are in memory at once, at claims and in pages of the log.
    private static let longestData = 64 << 10

    let store: EventStore
    let idempotency: Idempotency
    /// Woken when deliveries were made.
    let due: WakeSignal

    func mount(in table: RouteTable) { table.mount(.triggerEvent, self.trigger) }

    /// 202 with the event as subscribers get it.
    @Sendable private func trigger(_ request: Request, _ context: CallerContext) async throws -> Response {
        let type = try EventType(parameterOf: context)
        let body = try await request.jsonBody(limit: Self.longestData)
        let event = Event(id: EventID.make("evt"), type: type.rawValue, timestamp: Date(), data: body.value)
        let incoming = IncomingEvent(EventBatch.Entry(organizationID: context.organizationID, event: event))
        guard incoming.faults.isEmpty else { throw Problem.validation(incoming.faults) }
        return try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            let stored = try self.store.insert([incoming], transaction)
            if stored.deliveries > 0 { try transaction.notify(self.due.channel) }
            return try .json(event, status: 202)
        }
    }
}
