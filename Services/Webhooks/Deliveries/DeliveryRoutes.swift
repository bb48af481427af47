import Hummingbird
import Models
import ServiceKit

/// `/api/v1/webhooks/deliveries`.
struct DeliveryRoutes: Sendable {
    let log: DeliveryLog

    func mount(in table: RouteTable) {
        table.mount(.listDeliveries, self.list)
        table.mount(.getDelivery, self.show)
    }

    @Sendable func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page(alsoAllowing: ["subscription_id", "event_id", "state"])
        let filter = try Self.filter(request)
        let found = try await self.log.list(page, filter, in: context.organizationID).map { DeliveryResponse($0) }
        return try .json(Page(fetched: found, request: page, id: { $0.delivery.id.rawValue }))
    }

    @Sendable func show(_ request: Request, _ context: CallerContext) async throws -> Response {
        guard let (delivery, attempts) = try await self.log.find(try context.id(), in: context.organizationID) else {
            throw Problem.notFound
        }
        return try .json(DeliveryResponse(delivery, attempts))
    }

    private static func filter(_ request: Request) throws -> DeliveryLog.Filter {
        var filter = DeliveryLog.Filter(eventID: request.query("event_id"))
        var faults: [Problem.Fault] = []
        if let text = request.query("subscription_id") {
            filter.subscriptionID = SubscriptionID(text)
            if filter.subscriptionID == nil { faults.append(.init(pointer: "?subscription_id", detail: "This is not an id.")) }
        }
        if let text = request.query("state") {
            filter.state = DeliveryState(rawValue: text)
            if filter.state == nil {
                let known = DeliveryState.allCases.map(\.rawValue).joined(separator: ", ")
                faults.append(.init(pointer: "?state", detail: "Known states are \(known)."))
            }
        }
        if let id = filter.eventID, id.utf8.contains(0) { faults.append(.init(pointer: "?event_id", detail: "This is not an id.")) }
        guard faults.isEmpty else { throw Problem.validation(faults) }
        return filter
    }
}
