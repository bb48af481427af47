import Models
import Testing

@testable import Webhooks

@Suite struct AudienceTests {
    private static func audience(_ filters: [JSONValue?]) throws -> Audience {
        Audience(
            try filters.enumerated().map { place, filter in
                (
                    key: EndpointKey(organizationID: OrganizationID(1), subscriptionID: SubscriptionID(Int64(place))),
                    wish: Subscribers.Wish(types: ["order"], filter: try filter.map { try EventFilterTests.filter($0) })
                )
            }
        )
    }

    private static func found(_ filters: [JSONValue?], _ data: JSONValue) throws -> [Int64] {
        try self.audience(filters).candidates(for: EventFilterTests.event(data)).map(\.key.subscriptionID.rawValue)
    }

    @Test func anEventIsHeldAgainstFewAndInTheMembersOrder() throws {
        let filters: [JSONValue?] = [
            ["platform": "b"], nil, ["platform": "a"], ["amount": ["$gt": 5]], ["platform": "a", "amount": 1], ["amount": 1],
            ["$or": [["platform": "b"], ["amount": 1]]], ["$not": ["platform": "a"]], ["platform": .null], ["platform": ["$in": ["a"]]],
        ]
        #expect(try Self.found(filters, ["platform": "a", "amount": 1]) == [1, 2, 3, 4, 5, 6, 7, 8, 9])
        #expect(try Self.found(filters, ["platform": "c", "amount": 2]) == [1, 3, 6, 7, 8, 9])
    }

    @Test func anotherTypeFindsNobody() throws {
        var event = EventFilterTests.event([:])
        event.type = "refund"
        #expect(try Self.audience([nil]).candidates(for: event).isEmpty)
    }

    /// Whatever a filter lets through is found, in each way in which a value can be written.
    @Test(
        arguments: [
            ("amount", 5, [5, 5.0]), ("ratio", 0, [0, -0.0]), ("ratio", 1.5, [1.5]), ("paid", true, [true]), ("platform", "é", ["é"]),
            ("at", "2026-01-01T00:00:00Z", ["2026-01-01T01:00:00+01:00"]), ("amount", 9_007_199_254_740_993, [9_007_199_254_740_993]),
            ("buyer.name", .null, [.null]),
        ] as [(String, JSONValue, [JSONValue])]
    )
    func whatAFilterLetsThroughIsFound(path: String, operand: JSONValue, values: [JSONValue]) throws {
        for value in values {
            let names = path.split(separator: ".").map(String.init)
            let data = names.reversed().reduce(value) { JSONValue.object([$1: $0]) }
            #expect(try EventFilterTests.filter([path: operand]).matches(EventFilterTests.event(data)), "\(value)")
            #expect(try Self.found([[path: operand]], data) == [0], "\(value)")
        }
    }
}
