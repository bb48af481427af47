import Hummingbird
import Models
import ServiceKit

/// `POST /api/v1/webhooks/templates/preview`: what a payload template makes of an event, before anybody subscribes with it.
struct TemplatePreviewRoutes: Sendable {
    let samples: SampleStore

    func mount(in table: RouteTable) { table.mount(.previewTemplate, self.preview) }

    /// Body: `{"payload_template", "event"}`. Answers the organization's newest event of that type, or the catalogue's example, and the body that
    /// would be posted of it.
    @Sendable private func preview(_ request: Request, _ context: CallerContext) async throws -> Response {
        var fields = FieldReader(try await request.jsonBody().value)
        let name = fields.string("event", 1...100)
        let type = EventType(rawValue: name)
        if type == nil, !name.isEmpty {
            fields.fault("event", "there is no such event; known are \(EventType.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        var template: PayloadTemplate?
        if let given = fields.optionalValue("payload_template") {
            let parsed = PayloadTemplate.parse(given, for: type.map { [$0] } ?? [])
            for fault in parsed.faults { fields.fault(at: fault.pointer, fault.detail) }
            template = parsed.template
        } else {
            fields.fault("payload_template", "is missing")
        }
        try fields.finish()
        guard let type, let template else { throw Problem.notFound }
        let newest = try await self.samples.recent(type, in: context.organizationID).first
        let event = newest.map(EventView.init) ?? EventView(exampleOf: type)
        do {
            let body = try template.render(event)
            return try .json(TemplatePreview(event: event.json, body: try JSONValue(parsing: body)))
        } catch PayloadTemplateError.tooLarge {
            let limit = PayloadTemplate.largestOutput
            throw Problem.validation([.init(pointer: "/payload_template", detail: "gives more than \(limit) bytes of this event")])
        }
    }
}

struct TemplatePreview: Encodable {
    var event: JSONValue
    /// What would be posted.
    var body: JSONValue
}

extension EventView {
    /// The catalogue's example.
    fileprivate init(exampleOf type: EventType) {
        let example = EventCatalogue.description(of: type).exampleEvent
        self.init(
            id: example["id"]?.stringValue ?? "",
            type: type.rawValue,
            timestamp: example["timestamp"]?.stringValue ?? "",
            data: example["data"] ?? [:]
        )
    }

    fileprivate var json: JSONValue {
        ["id": .string(self.id), "type": .string(self.type), "timestamp": .string(self.timestamp), "data": self.data]
    }
}
