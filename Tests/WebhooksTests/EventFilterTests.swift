import Models
import Testing

@testable import Webhooks

/// What filters let through. ``EventFilterFaultTests`` has what is refused.
@Suite struct EventFilterTests {
    /// A type that has a member of each shape.
    static let outline = EventOutline(shapes: [
        .object([
            EventField("id", .string, ""), EventField("type", .choice(["order"]), ""), EventField("timestamp", .dateTime, ""),
            EventField(
                "data",
                .object([
                    EventField("platform", .string, ""), EventField("amount", .integer, ""), EventField("ratio", .number, ""),
                    EventField("paid", .boolean, ""), EventField("at", .dateTime, ""), EventField("code", .identifier, ""),
                    EventField("channel", .choice(["email", "sms"]), ""), EventField("tags", .array(of: .string), ""),
                    EventField("a/b~c", .string, ""), EventField("meta", .object([]), ""),
                    EventField("buyer", .object([EventField("name", .string, "", isNullable: true)]), ""),
                ]),
                ""
            ),
        ])
    ])

    static func filter(_ json: JSONValue) throws -> EventFilter {
        let result = EventFilter.parse(json, within: outline)
        #expect(result.faults.isEmpty, "\(json.text): \(result.faults)")
        return try #require(result.filter)
    }

    static func event(_ data: JSONValue) -> EventView {
        EventView(id: "evt_1", type: "order", timestamp: "2026-11-22T08:30:00.123Z", data: data)
    }

    private static func matches(_ filter: JSONValue, _ data: JSONValue) throws -> Bool {
        try self.filter(filter).matches(self.event(data))
    }

    // MARK: - Operators

    /// Operator, operand, values at the path that meet it, values that do not.
    private static let operators: [(String, JSONValue, [JSONValue], [JSONValue])] = [
        ("$eq", "a", ["a"], ["A", "ab", "", 1, true, .null, ["a"], ["a": "a"]]),
        ("$eq", 1, [1, 1.0], [2, 1.5, "1", true, .null]), ("$eq", 1.5, [1.5], [1, 2, "1.5"]), ("$eq", 2.0, [2, 2.0], [3]),
        ("$eq", true, [true], [false, 1, "true"]), ("$eq", .null, [.null], [0, "", false]),
        ("$ne", "a", ["b", 1, .null, ["a"]], ["a"]), ("$ne", .null, [1, ""], [.null]),
        ("$in", ["a", 1, .null], ["a", 1, 1.0, .null], ["b", 2, "1", true]), ("$in", ["a"], ["a"], ["b"]),
        ("$gt", 1, [2, 1.5], [1, 1.0, 0, "2", .null, true]), ("$gt", "b", ["c", "ba", "é"], ["b", "a", "B", 9]),
        ("$gte", 1, [1, 1.0, 2], [0, 0.99, "1"]), ("$gte", "b", ["b", "c"], ["a", 1]),
        ("$lt", 1, [0, 0.5, -1], [1, 1.0, 2, "0"]), ("$lt", "b", ["a", "", "B"], ["b", "c", 0]),
        ("$lte", 1, [1, 1.0, 0], [2, 1.01, "1", .null]), ("$lte", "b", ["b", "a"], ["c"]),
        ("$startsWith", "ab", ["ab", "abc"], ["a", "Abc", "", 1, .null, ["ab"]]), ("$startsWith", "", ["", "x"], [1]),
        ("$exists", true, ["x", 0, .null, [:]], []), ("$exists", false, [], ["x", 0, .null]),
        ("$not", ["$gt": 5], [5, 4, "x", .null], [6]), ("$not", ["$gte": 1, "$lt": 3], [0, 3], [1, 2]),
        ("$not", ["$not": ["$eq": 1]], [1], [2]),
    ]

    @Test(arguments: operators)
    func anOperatorHoldsForWhatMeetsIt(name: String, operand: JSONValue, met: [JSONValue], unmet: [JSONValue]) throws {
        let filter = try Self.filter(["meta.x": [name: operand]])
        for value in met { #expect(filter.matches(Self.event(["meta": ["x": value]])), "\(value)") }
        for value in unmet { #expect(!filter.matches(Self.event(["meta": ["x": value]])), "\(value)") }
    }

    @Test(
        arguments: [
            ("$eq", 1, false), ("$eq", .null, false), ("$ne", 1, true), ("$ne", .null, true), ("$in", [1, .null], false), ("$gt", 1, false),
            ("$gte", 1, false), ("$lt", 1, false), ("$lte", 1, false), ("$startsWith", "", false), ("$exists", true, false),
            ("$exists", false, true), ("$not", ["$eq": 1], true), ("$not", ["$lt": 1], true), ("$not", ["$not": ["$eq": 1]], false),
        ] as [(String, JSONValue, Bool)]
    )
    func aFilterOnAnAbsentFieldHoldsForDenialsOnly(name: String, operand: JSONValue, expected: Bool) throws {
        let filter = try Self.filter(["meta.x": [name: operand]])
        #expect(filter.matches(Self.event(["meta": [:]])) == expected)
        #expect(filter.matches(Self.event([:])) == expected)
        #expect(filter.matches(Self.event(nil)) == expected)
    }

    @Test func everyOperatorIsTriedHere() {
        #expect(Set(Self.operators.map(\.0)) == Set(FilterOperator.allCases.map(\.rawValue)))
    }

    @Test(arguments: ["linkedin", 5, 1.5, true, .null] as [JSONValue])
    func aBareValueMeansEquality(value: JSONValue) throws {
        let filter = try Self.filter(["meta.x": value])
        #expect(filter.matches(Self.event(["meta": ["x": value]])))
        #expect(!filter.matches(Self.event(["meta": ["x": "other"]])))
    }

    // MARK: - Comparing

    @Test func integersAreComparedExactly() throws {
        let near: Int64 = 9_007_199_254_740_993  // 2^53 + 1, which no Double is
        for (filter, value, expected) in [
            (["amount": ["$gt": .integer(near - 1)]], .integer(near), true), (["amount": .integer(near - 1)], .integer(near), false),
            (["amount": ["$gt": .double(Double(near - 1))]], .integer(near), true),
            (["amount": .double(Double(near - 1))], .integer(near), false),
            (["amount": ["$lt": .integer(near)]], .double(Double(near - 1)), true),
            (["amount": ["$lt": .integer(.max)]], .integer(.max - 1), true),
            (["amount": ["$lt": 9_223_372_036_854_775_808.0]], .integer(.max), true), (["amount": ["$gt": 1e300]], .integer(.max), false),
            (["amount": ["$gt": -1e300]], .integer(.min), true), (["amount": -9_223_372_036_854_775_808.0], .integer(.min), true),
            (["amount": ["$gt": -1.5]], -1, true), (["amount": ["$lt": -0.5]], -1, true), (["amount": ["$gt": 0.5]], 0, false),
            (["amount": 0], -0.0, true), (["ratio": ["$gte": 1]], .double(.nan), false), (["ratio": ["$lte": 1.5]], .double(.nan), false),
            (["ratio": ["$gte": 1]], .double(.infinity), true),
        ] as [(JSONValue, JSONValue, Bool)] {
            #expect(try Self.matches(filter, ["amount": value, "ratio": value]) == expected, "\(filter.text) \(value.text)")
        }
    }

    @Test func textIsComparedByItsScalars() throws {
        #expect(try !Self.matches(["platform": "é"], ["platform": "e\u{301}"]))
        #expect(try Self.matches(["platform": ["$ne": "é"]], ["platform": "e\u{301}"]))
        #expect(try !Self.matches(["platform": ["$in": ["é"]]], ["platform": "e\u{301}"]))
        #expect(try Self.matches(["platform": ["$startsWith": "e"]], ["platform": "e\u{301}"]))
        #expect(try Self.matches(["platform": ["$lt": "\u{1F600}"]], ["platform": "\u{FFFD}"]))
        #expect(try Self.matches(["platform": "\"\\\n\u{7F}😀"], ["platform": "\"\\\n\u{7F}😀"]))
    }

    @Test func timesAreComparedAsTimesWhereTheFieldIsOne() throws {
        let at: JSONValue = ["at": "2026-11-22T09:30:00+01:00", "platform": "2026-11-22T09:30:00+01:00"]
        #expect(try Self.matches(["at": "2026-11-22T08:30:00Z"], at))
        #expect(try Self.matches(["at": ["$in": ["2026-11-22T08:30:00.000Z"]]], at))
        #expect(try !Self.matches(["at": ["$ne": "2026-11-22T08:30:00Z"]], at))
        #expect(try Self.matches(["at": ["$gte": "2026-11-22T08:30:00Z", "$lte": "2026-11-22T08:30:00Z"]], at))
        #expect(try Self.matches(["at": ["$lt": "2026-11-22T08:31:00Z"]], at))
        #expect(try !Self.matches(["at": ["$gt": "2026-11-22T08:31:00Z"]], at))
        #expect(try Self.matches(["timestamp": ["$gt": "2026-11-22T08:30:00Z"]], [:]))
        #expect(try Self.matches(["at": ["$startsWith": "2026-11-22"]], at))
        // Text is text, whatever it looks like.
        #expect(try !Self.matches(["platform": "2026-11-22T08:30:00Z"], at))
        #expect(try Self.matches(["platform": ["$gt": "2026-11-22T08:31:00Z"]], at))
    }

    @Test func aTimeThatDoesNotReadAsOneIsComparedAsText() throws {
        #expect(try !Self.matches(["at": "2026-11-22T08:30:00Z"], ["at": "soon"]))
        #expect(try Self.matches(["at": ["$gt": "2026-11-22T08:30:00Z"]], ["at": "soon"]))
        #expect(try !Self.matches(["at": ["$gt": "2026-11-22T08:30:00Z"]], ["at": 5]))
    }

    // MARK: - Joining

    @Test func membersOfAnObjectAreJoinedByAnd() throws {
        let filter = try Self.filter(["data.platform": "linkedin", "data.amount": ["$gte": 100, "$lt": 1000]])
        #expect(filter.matches(Self.event(["platform": "linkedin", "amount": 100])))
        #expect(!filter.matches(Self.event(["platform": "linkedin", "amount": 1000])))
        #expect(!filter.matches(Self.event(["platform": "linkedin", "amount": 99])))
        #expect(!filter.matches(Self.event(["platform": "instagram", "amount": 100])))
        #expect(!filter.matches(Self.event(["amount": 100])))
    }

    @Test func orHoldsWhereOneAlternativeDoes() throws {
        let filter = try Self.filter(["paid": true, "$or": [["platform": "a"], ["amount": ["$gt": 5], "platform": "b"]]])
        #expect(filter.matches(Self.event(["paid": true, "platform": "a"])))
        #expect(filter.matches(Self.event(["paid": true, "platform": "b", "amount": 6])))
        #expect(!filter.matches(Self.event(["paid": true, "platform": "b", "amount": 5])))
        #expect(!filter.matches(Self.event(["paid": false, "platform": "a"])))
    }

    @Test func notIsThePlainOpposite() throws {
        let filter = try Self.filter(["$not": ["platform": "a", "amount": 1]])
        #expect(!filter.matches(Self.event(["platform": "a", "amount": 1])))
        #expect(filter.matches(Self.event(["platform": "a", "amount": 2])))
        #expect(filter.matches(Self.event([:])))
        #expect(try Self.matches(["$not": ["$or": [["platform": "a"], ["$not": ["amount": 1]]]]], ["amount": 1]))
    }

    @Test func anEmptyFilterLetsEverythingThrough() throws {
        #expect(try Self.matches([:], [:]))
        #expect(try Self.filter([:]).explain(Self.event([:])).isEmpty)
    }

    @Test func theEnvelopeIsAskedAsWell() throws {
        #expect(try Self.matches(["type": "order", "id": ["$startsWith": "evt_"]], [:]))
        #expect(try !Self.matches(["id": "evt_2"], [:]))
    }

    // MARK: - Explaining

    @Test func everyClauseIsExplained() throws {
        let filter = try Self.filter([
            "data.platform": "linkedin", "amount": ["$gte": 100, "$not": ["$in": [150, 200]]], "a/b~c": ["$exists": false],
            "$or": [["paid": true], ["channel": ["$ne": "sms"]]], "$not": ["ratio": ["$lt": 0.5]],
        ])
        let event = Self.event(["platform": "instagram", "amount": 150, "paid": nil, "channel": "sms", "ratio": 0.25])
        #expect(!filter.matches(event))
        let expected: [EventFilter.Verdict] = [
            .init(pointer: "/filter/$not", text: "$not: this must not hold", passed: false),
            .init(pointer: "/filter/$not/ratio/$lt", text: "data.ratio $lt 0.5", passed: true, found: 0.25),
            .init(pointer: "/filter/$or", text: "$or: one of 2 at least", passed: false),
            .init(pointer: "/filter/$or/0/paid", text: "data.paid $eq true", passed: false, found: .null),
            .init(pointer: "/filter/$or/1/channel/$ne", text: #"data.channel $ne "sms""#, passed: false, found: "sms"),
            .init(pointer: "/filter/a~1b~0c/$exists", text: "data.a/b~c $exists false", passed: true, found: nil),
            .init(pointer: "/filter/amount/$gte", text: "data.amount $gte 100", passed: true, found: 150),
            .init(pointer: "/filter/amount/$not", text: "data.amount $not: this must not hold", passed: false),
            .init(pointer: "/filter/amount/$not/$in", text: "data.amount $in [150,200]", passed: true, found: 150),
            .init(pointer: "/filter/data.platform", text: #"data.platform $eq "linkedin""#, passed: false, found: "instagram"),
        ]
        #expect(filter.explain(event) == expected)
    }

    /// The verdicts that are not below another are those that the event needs.
    @Test func theOuterVerdictsTellWhatMatchesTells() throws {
        let filter = try Self.filter([
            "paid": true, "amount": ["$gt": 1, "$not": ["$gt": 5]], "$or": [["platform": "a"], ["platform": "b"]],
        ])
        for amount: Int64 in 0...7 {
            for platform in ["a", "b", "c"] {
                for paid in [true, false] {
                    let event = Self.event(["amount": .integer(amount), "platform": .string(platform), "paid": .bool(paid)])
                    let verdicts = filter.explain(event)
                    let groups = verdicts.filter { $0.text.hasSuffix("hold") || $0.text.hasSuffix("least") }.map { $0.pointer + "/" }
                    let outer = verdicts.filter { verdict in !groups.contains { verdict.pointer.hasPrefix($0) } }
                    #expect(outer.count == 4)
                    #expect(outer.allSatisfy(\.passed) == filter.matches(event))
                }
            }
        }
    }

    // MARK: - Keeping

    @Test func aFilterIsGivenBackAsItWasGiven() throws {
        let json: JSONValue = ["platform": "x", "$or": [["amount": ["$in": [1, 2.5]]]], "paid": ["$not": ["$exists": false]]]
        #expect(try Self.filter(json).json == json)
        #expect(try Self.filter([:]).json == [:])
    }

    @Test func aStoredFilterOutlivesChangesOfTheCatalogue() throws {
        let json: JSONValue = ["data.since_removed": "x", "data.channel": ["$ne": "fax"], "campaign_id": ["$startsWith": "1"]]
        #expect(EventFilter.parse(json, for: [.campaignSent]).filter == nil)
        let filter = try #require(EventFilter(stored: json, for: [.campaignSent]))
        #expect(filter.json == json)
        #expect(!filter.matches(Self.event(["channel": "email", "campaign_id": "12"])))
        #expect(filter.matches(Self.event(["channel": "email", "campaign_id": "12", "since_removed": "x"])))
        #expect(EventFilter(stored: ["$nor": []], for: [.campaignSent]) == nil)
    }

    @Test func aStoredFilterKnowsWhatIsATime() throws {
        let filter = try #require(EventFilter(stored: ["ordered_at": "2026-11-22T09:30:00+01:00"], for: [.orderCreated]))
        #expect(filter.matches(Self.event(["ordered_at": "2026-11-22T08:30:00Z"])))
    }

    @Test(arguments: EventCatalogue.all.map(\.type))
    func everyScalarOfEveryExampleCanBeAskedFor(type: EventType) throws {
        let description = EventCatalogue.description(of: type)
        let example = description.example.objectValue ?? [:]
        let scalars = example.filter { $0.value.objectValue == nil && $0.value.arrayValue == nil }
        let result = EventFilter.parse(.object(scalars), for: [type])
        #expect(result.faults.isEmpty)
        #expect(result.filter?.matches(Self.event(description.example)) ?? false)
    }
}
