import HTTPTypes
import Models
import Testing

@testable import Webhooks

@Suite struct EventCatalogueTests {
    @Test func describesEveryEventType() {
        #expect(EventCatalogue.all.map(\.type) == EventType.allCases)
        for description in EventCatalogue.all { #expect(EventCatalogue.description(of: description.type).type == description.type) }
    }

    @Test func everyExampleFitsItsSchemaAndShowsEveryMember() throws {
        for description in EventCatalogue.all {
            #expect(description.shape.faults(in: description.example).isEmpty, "\(description.type)")
            let example = try #require(description.example.objectValue)
            #expect(Set(example.keys) == Set(description.fields.map(\.name)), "\(description.type)")
        }
    }

    /// Told as JSON Schema, checked as told: each shape, what fits it, and what does not.
    @Test(
        arguments: [
            (EventShape.string, [JSONValue.string("")], [.null, 1, true, [:]]),
            (.dateTime, ["2026-11-22T08:30:00.123Z", "2026-11-22T08:30:00+01:00"], ["yesterday", 1, .null]),
            (.choice(["a", "b"]), ["a"], ["c", 1]),
            (.identifier, [1, "x"], [1.5, .null, true]),
            (.integer, [1, 5.0], [1.5, "1", true]),
            (.number, [1, 1.5], ["1"]),
            (.boolean, [true], [0, "true"]),
            (.array(of: .integer), [[], [1, 2]], [[1, "2"], 1]),
            (
                .object([EventField("n", .integer, "", isNullable: true)]), [["n": 1], ["n": .null], ["n": 1, "more": 2]],
                [[:], ["n": "1"], []]
            ),
            (.object([EventField("n", .integer, "", isRequired: false)]), [[:], ["n": 1]], [["n": .null]]),
        ] as [(EventShape, [JSONValue], [JSONValue])]
    )
    func aShapeTellsWhatFitsIt(shape: EventShape, fitting: [JSONValue], others: [JSONValue]) {
        for value in fitting { #expect(shape.faults(in: value).isEmpty, "\(value)") }
        for value in others { #expect(!shape.faults(in: value).isEmpty, "\(value)") }
    }

    @Test func faultsAreNamedByTheirPlace() {
        let shape = EventShape.object([
            EventField("list", .array(of: .object([EventField("a/b", .integer, "")])), ""), EventField("gone", .string, ""),
        ])
        let faults = shape.faults(in: ["list": [["a/b": 1], ["a/b": "x"]]])
        #expect(faults.map(\.pointer) == ["/list/1/a~1b", "/gone"])
        #expect(faults.map(\.detail) == ["must be an integer", "is missing"])
    }

    @Test func samplesAreTheOrganizationsNewestEventsOrTheExample() async throws {
        try await Fixture.running { fixture in
            let path = "/api/v1/zapier/events/campaign_sent/sample"
            let example = try await fixture.call(.get, path, as: .viewer)
            #expect(example.json == [EventCatalogue.description(of: .campaignSent).exampleEvent])
            let entries = (1...4).map { EventBatch.Entry.make(adding: ["n": .integer($0)]) }
            try await fixture.bring(entries)
            try await fixture.bring([.make(EventType.syncCompleted.rawValue), .make(data: [:]), .make(in: OrganizationID(2))])
            let recent = try await fixture.call(.get, path, as: .viewer)
            #expect(recent.status == 200)
            #expect(recent.json.arrayValue?.map { $0["id"]?.stringValue } == entries.suffix(3).reversed().map(\.event.id))
            #expect(recent.json.arrayValue?.first?["data"] == entries.last?.event.data)
            #expect(Set(recent.json.arrayValue?.first?.objectValue?.keys ?? [:].keys) == ["id", "type", "timestamp", "data"])
            #expect(try await fixture.call(.get, "/api/v1/zapier/events/nothing/sample", as: .viewer).status == 404)
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
