import Hummingbird
import Models
import ServiceKit

/// `POST /internal/events`.
struct IntakeRoutes: Sendable {
    let intake: EventIntake

    func mount(in table: RouteTable) {
        table.mountInternal(.takeEvents) { request, _ in
            let batch = try EventBatchReader.batch(try await request.jsonBody(limit: RequestLimits.internalBody).value)
            return try .json(try await self.intake.take(batch))
        }
    }
}
