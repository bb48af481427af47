import HTTPTypes
import Models
import Testing

@testable import Webhooks

@Suite struct EventCatalogueTests {
    @Test func describesEveryEventType() {
        #expect(EventCatalogue.all.map(\.type) == EventType.allCases)
        for description in EventCatalogue.all { #expect(EventCatalogue.description(of: description.type).type == description.type) }
    }

    @Test func everyExampleFitsItsSchema() throws {
        for description in EventCatalogue.all {
            let example = try #require(description.example.objectValue)
            #expect(Set(example.keys) == Set(description.fields.map(\.name)), "\(description.type)")
            for field in description.fields {
                let value = try #require(example[field.name])
                let fits =
                    switch (field.kind, value) {
                    case (.string, .string), (.integer, .integer), (.boolean, .bool), (.object, .object), (.array, .array): true
                    case (.number, .integer), (.number, .double): true
                    default: field.isNullable && value == .null
                    }
                #expect(fits, "\(description.type) \(field.name)")
            }
        }
    }

    @Test func exampleIdsAreWellFormed() {
        for description in EventCatalogue.all {
            #expect(EventCheck.isWellFormed(id: description.exampleEvent["id"]?.stringValue ?? ""))
        }
    }

    @Test func isListedToViewers() async throws {
        try await Fixture.running { fixture in
            let reply = try await fixture.call(.get, "/api/v1/zapier/events", as: .viewer)
            #expect(reply.status == 200)
            let types = (reply.json["data"]?.arrayValue ?? []).compactMap { $0["type"]?.stringValue }
            #expect(types == EventType.allCases.map(\.rawValue))
            #expect(reply.json["data"]?.arrayValue?.first?["data_schema"]?["type"] == "object")
        }
    }
}
