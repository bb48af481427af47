import Hummingbird
import Models
import ServiceKit

/// `GET /api/v1/zapier/events`.
struct EventTypeRoutes: Sendable {
    func mount(in table: RouteTable) {
        table.mount(.listEventTypes) { request, _ in
            _ = try request.page()
            return try .json(Page(data: EventCatalogue.all.map(EventTypeResponse.init), nextCursor: nil))
        }
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
        self.dataSchema = description.dataSchema
    }

    enum CodingKeys: String, CodingKey {
        case type, version, description, example
        case dataSchema = "data_schema"
    }
}
