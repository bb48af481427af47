import Models
import Testing

@testable import Webhooks

@Suite struct EventPathTests {
    static let event = EventView(
        id: "evt_1",
        type: "order_created",
        timestamp: "2026-11-22T08:30:00.123Z",
        data: [
            "platform": "linkedin", "id": 7, "type": "inner", "none": nil, "0": "zero",
            "items": [["sku": "a"], ["sku": "b", "tags": ["x", "y"]]], "deep": ["er": ["est": true]],
        ]
    )

    @Test(
        arguments: [
            ("id", "evt_1"), ("type", "order_created"), ("timestamp", "2026-11-22T08:30:00.123Z"), ("data", event.data),
            ("data.platform", "linkedin"), ("platform", "linkedin"), ("data.id", 7), ("data.type", "inner"), ("none", .null), ("0", "zero"),
            ("items.0.sku", "a"), ("data.items.1.tags.1", "y"), ("deep.er", ["est": true]), ("deep.er.est", true),
            ("gone", nil), ("items.2", nil), ("items.01", nil), ("items.-1", nil), ("items.+1", nil), ("items.１", nil), ("items.sku", nil),
            ("items.99999999999999999999", nil), ("platform.0", nil), ("none.x", nil), ("id.x", nil), ("timestamp.0", nil),
        ] as [(String, JSONValue?)]
    )
    func aPathNamesAValue(text: String, value: JSONValue?) throws {
        #expect(try EventPath(parsing: text).value(in: Self.event) == value)
    }

    @Test func aPathIsShownInFull() throws {
        #expect(try EventPath(parsing: "platform").text == "data.platform")
        #expect(try EventPath(parsing: "data.platform").text == "data.platform")
        #expect(try EventPath(parsing: "timestamp").text == "timestamp")
    }

    @Test(arguments: ["", ".", "a.", ".a", "data..platform", "a...b"])
    func aPathHasNoEmptyName(text: String) {
        let fault = #expect(throws: EventPath.Malformed.self) { try EventPath(parsing: text) }
        #expect(fault?.detail.contains("none of them may be empty") ?? false)
    }

    @Test func aPathHasLimits() throws {
        _ = try EventPath(parsing: String(repeating: "a", count: 200))
        _ = try EventPath(parsing: Array(repeating: "a", count: 10).joined(separator: "."))
        for (text, part) in [
            (String(repeating: "a", count: 201), "200 bytes"), (String(repeating: "é", count: 101), "200 bytes"),
            (Array(repeating: "a", count: 11).joined(separator: "."), "10 names"), (String(repeating: ".", count: 1_000_000), "200 bytes"),
        ] {
            let fault = #expect(throws: EventPath.Malformed.self) { try EventPath(parsing: text) }
            #expect(fault?.detail.contains(part) ?? false)
        }
    }

    @Test func aCombiningMarkAfterAFullStopDoesNotHideIt() throws {
        let path = try EventPath(parsing: "data.a.\u{301}b")
        #expect(path.names.count == 3)
        #expect(path.value(in: EventView(id: "", type: "", timestamp: "", data: ["a": ["\u{301}b": 1]])) == 1)
    }

    @Test func anEventIsSeenAsItIsDelivered() throws {
        let time = try #require(Timestamp.parse("2026-11-22T09:30:00.5+01:00"))
        let view = EventView(Event(id: "evt_2", type: "content_posted", timestamp: time, data: ["a": 1]))
        #expect(view.id == "evt_2" && view.type == "content_posted" && view.data == ["a": 1])
        #expect(view.timestamp == "2026-11-22T08:30:00.500Z")
    }

    // MARK: - Against the catalogue

    private static func refusal(_ text: String, _ types: [EventType]) throws -> String? {
        EventOutline(types).refusal(of: try EventPath(parsing: text))
    }

    @Test(arguments: EventCatalogue.all.map(\.type))
    func everyMemberOfEveryExampleIsKnown(type: EventType) throws {
        let outline = EventOutline([type])
        for path in outline.paths { #expect(outline.refusal(of: try EventPath(parsing: path)) == nil, "\(path)") }
        for name in EventCatalogue.description(of: type).example.objectValue?.keys ?? [:].keys {
            #expect(outline.paths.contains("data.\(name)"))
            #expect(try Self.refusal(name, [type]) == nil, "\(name)")
        }
    }

    @Test func objectsDescendAndArraysByIndex() throws {
        #expect(try Self.refusal("data.counts.total", [.campaignSent]) == nil)
        #expect(try Self.refusal("changed.17", [.contactUpdated]) == nil)
        #expect(try Self.refusal("changed.first", [.contactUpdated]) != nil)
        #expect(try Self.refusal("changed.0.x", [.contactUpdated]) != nil)
        #expect(try Self.refusal("name.x", [.campaignSent]) != nil)
        #expect(try Self.refusal("id.x", [.campaignSent]) != nil)
    }

    @Test func aPathOfOneTypeOfSeveralIsKnown() throws {
        #expect(try Self.refusal("data.platform", [.campaignSent]) != nil)
        #expect(try Self.refusal("data.platform", [.campaignSent, .contentPosted]) == nil)
    }

    @Test func belowAnObjectThatTheCatalogueDoesNotDescribeEverythingIsKnown() throws {
        let outline = EventOutline(shapes: [.object([EventField("data", .object([EventField("meta", .object([]), "")]), "")])])
        #expect(outline.refusal(of: try EventPath(parsing: "meta.any.thing.0")) == nil)
        #expect(outline.refusal(of: try EventPath(parsing: "meta")) == nil)
        #expect(outline.refusal(of: try EventPath(parsing: "mata")) == "there is no data.mata; did you mean data.meta?")
    }

    @Test func withoutTypesEveryPathIsLetThrough() throws {
        #expect(try Self.refusal("what.ever", []) == nil)
    }

    @Test(
        arguments: [
            ("data.platfrom", "there is no data.platfrom; did you mean data.platform?"),
            ("platfrom", "there is no data.platfrom; did you mean data.platform?"),
            ("Platform", "there is no data.Platform; did you mean data.platform?"),
            ("event.platform", "there is no data.event.platform; did you mean data.platform?"),
            (
                "timestmp.x.y",
                "there is no data.timestmp.x.y; known are \(EventOutline([.contentPosted]).paths.joined(separator: ", "))"
            ),
        ]
    )
    func anUnknownPathIsRefusedWithWhatWasMeant(path: String, refusal: String) throws {
        #expect(try Self.refusal(path, [.contentPosted]) == refusal)
    }

    @Test func aLongListOfPathsIsNotListed() throws {
        #expect(try Self.refusal("nothing.like.this.one", EventType.allCases) == "there is no data.nothing.like.this.one")
    }

    @Test(
        arguments: [
            ("gte", "$gte"), ("$neq", "$ne"), ("$nin", "$in"), ("$GTE", "$gte"), ("$startswith", "$startsWith"), ("$exist", "$exists"),
            ("$ge", "$gt"), ("$regex", nil), ("$xx", nil), ("", nil),
        ] as [(String, String?)]
    )
    func theNearestNameIsSuggested(name: String, nearest: String?) {
        #expect(Suggestion.nearest(to: name, among: FilterOperator.allCases.map(\.rawValue)) == nearest)
    }
}
