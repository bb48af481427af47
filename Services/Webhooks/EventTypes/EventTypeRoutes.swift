import Hummingbird
import Models
import ServiceKit

/// `/api/v1/zapier/events`.
struct EventTypeRoutes: Sendable {
    let samples: SampleStore

    func mount(in table: RouteTable) {
        table.mount(.listEventTypes) { request, _ in
            _ = try request.page()
            return try .json(Page(data: EventCatalogue.all.map(EventTypeResponse.init), nextCursor: nil))
        }
        table.mount(.sampleEvents, self.sample)
    }

    /// An array, as Zapier's polling and samples want it: newest first, each with its `id`.
    @Sendable private func sample(_ request: Request, _ context: CallerContext) async throws -> Response {
        let type = try EventType(parameterOf: context)
        let recent = try await self.samples.recent(type, in: context.organizationID)
        return recent.isEmpty ? try .json([EventCatalogue.description(of: type).exampleEvent]) : try .json(recent)
    }
}

extension EventType {
    /// The `{event}` of a path.
    /// - Throws: 404 where the catalogue has none of that name.
    init(parameterOf context: CallerContext) throws(Problem) {
        guard let type = context.parameters.get("event").flatMap(Self.init) else {
            throw Problem(.notFound, "There is no such event; GET /api/v1/zapier/events lists them all.")
        }
        self = type
    }
}

struct EventTypeResponse: Encodable, Sendable {
    var type: String
    var version: Int
    var description: String
    var example: JSONValue
    var dataSchema: JSONValue

    init(_ description: EventTypeDescription) {
        self.type = description.type.rawValue
        self.version = description.version
        self.description = description.summary
        self.example = description.exampleEvent
        self.dataSchema = description.shape.schema
    }

    enum CodingKeys: String, CodingKey {
        case type, version, description, example
        case dataSchema = "data_schema"
    }
}
