import Models
import Testing

@testable import Webhooks

@Suite struct EventFilterFaultTests {
    private static func faults(_ json: JSONValue) -> [String] {
        let result = EventFilter.parse(json, within: EventFilterTests.outline)
        #expect((result.filter == nil) == !result.faults.isEmpty)
        return result.faults.map { "\($0.pointer) \($0.detail)" }
    }

    @Test(
        arguments: [
            ("x", #"/filter must be an object of conditions, as {"data.platform": "linkedin"}"#),
            ([], #"/filter must be an object of conditions, as {"data.platform": "linkedin"}"#),
            (.null, #"/filter must be an object of conditions, as {"data.platform": "linkedin"}"#),
            (["data.platfrom": "x"], "/filter/data.platfrom there is no data.platfrom; did you mean data.platform?"),
            (["buyer.nmae": "x"], "/filter/buyer.nmae there is no data.buyer.nmae; did you mean data.buyer.name?"),
            (
                ["data..x": 1],
                "/filter/data..x a path is names with full stops between them, as in data.platform; none of them may be empty"
            ),
            (["": 1], "/filter/ a path is names with full stops between them, as in data.platform; none of them may be empty"),
            (["a/b": 1], "/filter/a~1b there is no data.a/b; did you mean data.a/b~c?"),
            (["$and": []], "/filter/$and there is no $and; members of one object are joined by AND as they are"),
            (["$nor": []], "/filter/$nor there is no $nor; did you mean $not?"),
            (["$where": "1"], "/filter/$where there is no $where; known are $or, $not"),
            (["$gte": 1], #"/filter/$gte stands under a path, as in {"data.value": {"$gte": …}}"#),
            (["$or": [:]], "/filter/$or must be an array of 1 to 20 filters"),
            (["$or": []], "/filter/$or must be an array of 1 to 20 filters"),
            (
                ["$or": .array(Array(repeating: ["paid": true], count: 21))], "/filter/$or must be an array of 1 to 20 filters"
            ),
            (["$or": [[:]]], #"/filter/$or/0 must be an object of conditions, as {"data.platform": "linkedin"}"#),
            (["$not": [:]], #"/filter/$not must be an object of conditions, as {"data.platform": "linkedin"}"#),
            (["$not": true], #"/filter/$not must be an object of conditions, as {"data.platform": "linkedin"}"#),
            (["amount": [:]], #"/filter/amount must be an object of operators, as {"$gte": 100}"#),
            (
                ["amount": [1]],
                #"/filter/amount must be a value to equal or an object of operators; for one of several values write {"$in": […]}"#
            ),
            (["amount": ["gte": 1]], "/filter/amount/gte there is no operator gte; did you mean $gte?"),
            (["data.amount": ["$gre": 1]], "/filter/data.amount/$gre there is no operator $gre; did you mean $gte?"),
            (
                ["amount": ["$regex": "x"]],
                "/filter/amount/$regex there is no operator $regex; known are $eq, $ne, $in, $gt, $gte, $lt, $lte, "
                    + "$startsWith, $exists, $not"
            ),
            (["amount": ["$or": []]], "/filter/amount/$or stands beside paths, not under one"),
            (["data": ["platform": "x"]], "/filter/data/platform there is no operator platform; did you mean the path data.platform?"),
            (["amount": ["$not": 1]], #"/filter/amount/$not must be an object of operators, as {"$gte": 100}"#),
            (["amount": ["$not": ["$eq": []]]], "/filter/amount/$not/$eq must be a string, a number, true, false or null"),
            (["amount": ["$eq": [1]]], "/filter/amount/$eq must be a string, a number, true, false or null"),
            (["amount": ["$ne": [:]]], "/filter/amount/$ne must be a string, a number, true, false or null"),
            (["amount": ["$in": 1]], "/filter/amount/$in must be an array of 1 to 100 values"),
            (["amount": ["$in": []]], "/filter/amount/$in must be an array of 1 to 100 values"),
            (["amount": ["$in": [1, [2]]]], "/filter/amount/$in/1 must be a string, a number, true, false or null"),
            (["amount": ["$gt": .null]], "/filter/amount/$gt must be a number or a string"),
            (["amount": ["$gte": true]], "/filter/amount/$gte must be a number or a string"),
            (["amount": ["$lt": []]], "/filter/amount/$lt must be a number or a string"),
            (["amount": ["$lte": [:]]], "/filter/amount/$lte must be a number or a string"),
            (["platform": ["$startsWith": 1]], "/filter/platform/$startsWith must be a string"),
            (["platform": ["$exists": "yes"]], "/filter/platform/$exists must be true or false"),
            (["platform": "a\u{0}"], "/filter/platform must not contain the character U+0000"),
            (["platform": ["$in": ["\u{0}"]]], "/filter/platform/$in/0 must not contain the character U+0000"),
            (["platform": ["$gt": "\u{0}"]], "/filter/platform/$gt must not contain the character U+0000"),
            (["platform": ["$startsWith": "\u{0}"]], "/filter/platform/$startsWith must not contain the character U+0000"),
        ] as [(JSONValue, String)]
    )
    func aFaultIsNamedByItsPlace(json: JSONValue, fault: String) {
        #expect(Self.faults(json) == [fault])
    }

    @Test(
        arguments: [
            (["amount": "x"], "/filter/amount data.amount is an integer, never a string"),
            (["amount": true], "/filter/amount data.amount is an integer, never true or false"),
            (["amount": ["$in": [1, "2"]]], "/filter/amount/$in/1 data.amount is an integer, never a string"),
            (["amount": ["$gt": "5"]], "/filter/amount/$gt data.amount is an integer, never a string"),
            (["amount": ["$startsWith": "1"]], "/filter/amount/$startsWith is for strings, and data.amount is an integer"),
            (["ratio": ["$ne": "x"]], "/filter/ratio/$ne data.ratio is a number, never a string"),
            (["paid": 1], "/filter/paid data.paid is true or false, never a number"),
            (["paid": ["$gt": 1]], "/filter/paid/$gt data.paid is true or false, never a number"),
            (["platform": ["$lt": 1]], "/filter/platform/$lt data.platform is a string, never a number"),
            (["code": true], "/filter/code data.code is an integer or a string, never true or false"),
            (["buyer": "x"], "/filter/buyer data.buyer is an object, never a string"),
            (["tags": "x"], "/filter/tags data.tags is an array, never a string"),
            (["at": "tomorrow"], "/filter/at must be a time like 2026-11-22T08:30:00Z"),
            (["timestamp": ["$gte": "2026-11-22"]], "/filter/timestamp/$gte must be a time like 2026-11-22T08:30:00Z"),
            (["channel": "emial"], "/filter/channel data.channel is never this; did you mean email?"),
            (["channel": ["$in": ["sms", "fax"]]], "/filter/channel/$in/1 data.channel is never this; known are email, sms"),
            (["type": "ordre"], "/filter/type type is never this; did you mean order?"),
            (["channel": 1], "/filter/channel data.channel is one of email, sms, never a number"),
        ] as [(JSONValue, String)]
    )
    func anOperandThatIsNeverMetIsRefused(json: JSONValue, fault: String) {
        #expect(Self.faults(json) == [fault])
    }

    @Test(
        arguments: [
            ["amount": 1.5], ["amount": nil], ["ratio": 1], ["code": 1], ["code": "x"], ["code": ["$startsWith": "x"]], ["tags.0": "x"],
            ["tags": ["$exists": true]], ["buyer": nil], ["meta": ["$exists": true]], ["buyer.name": nil], ["buyer.name": ["$ne": nil]],
            ["channel": ["$gt": "a"]],
            ["channel": ["$startsWith": "em"]], ["at": ["$startsWith": "2026"]], ["meta.a.b": ["$gt": "x"]],
        ] as [JSONValue]
    )
    func whatMayBeMetIsTaken(json: JSONValue) {
        #expect(Self.faults(json) == [])
    }

    @Test func anOperandThatOneOfTheTypesTakesIsTaken() {
        let types: [EventType] = [.contactUnsubscribed, .analyticsMilestone]
        #expect(EventFilter.parse(["channel": "sms", "threshold": ["$gt": 5]], for: types).faults.isEmpty)
        #expect(EventFilter.parse(["subject_id": "x"], for: types).faults.isEmpty)
        // A percentage in one and a mark in the other: numbers both, and named once where they read alike.
        let faults = EventFilter.parse(["threshold": "x"], for: [.apiKeyQuotaWarning, .analyticsMilestone, .apiKeyQuotaWarning]).faults
        #expect(faults.map(\.detail) == ["data.threshold is an integer or a number, never a string"])
    }

    @Test func whereTheTypesHadFaultsPathsAreNotJudged() {
        #expect(EventFilter.parse(["what.ever": ["$gt": 1]], for: []).faults.isEmpty)
        #expect(EventFilter.parse(["what.ever": ["$gtt": 1]], for: []).faults.count == 1)
    }

    @Test func everyFaultIsNamedAtItsPointer() {
        let faults = EventFilter.parse(
            [
                "data.platfrom": 1, "amount": ["$startsWith": "x", "$gtee": 1, "$in": []], "$or": [["nope": 1], 5, ["$not": ["paid": []]]],
                "a/b~c": ["x~/y": 1],
            ],
            within: EventFilterTests.outline,
            at: "/subscriptions/0/filter"
        ).faults
        #expect(
            faults.map(\.pointer)
                == [
                    "/$or/0/nope", "/$or/1", "/$or/2/$not/paid", "/a~1b~0c/x~0~1y", "/amount/$gtee", "/amount/$in", "/amount/$startsWith",
                    "/data.platfrom",
                ].map { "/subscriptions/0/filter\($0)" }
        )
    }

    // MARK: - Limits

    private static func nested(_ levels: Int) -> JSONValue {
        (1..<levels).reduce(["paid": true]) { inner, _ in ["$not": inner] }
    }

    @Test func aFilterIsFiveDeepAtMost() {
        #expect(Self.faults(Self.nested(5)) == [])
        #expect(Self.faults(Self.nested(6)) == ["/filter/$not/$not/$not/$not/$not is nested more than 5 deep"])
        let operators: JSONValue = ["$not": ["$not": ["$not": ["$not": ["$eq": 1]]]]]
        #expect(Self.faults(["amount": operators]) == [])
        #expect(Self.faults(["$or": [["amount": operators]]]).count == 1)
        #expect(Self.faults(Self.nested(500)).count == 1)
    }

    @Test func aFilterHasFiftyClausesAtMost() {
        func clauses(_ count: Int) -> JSONValue {
            let alternatives = stride(from: 0, to: count, by: 10).map { start -> JSONValue in
                .object(Dictionary(uniqueKeysWithValues: (start..<min(start + 10, count)).map { ("meta.x\($0)", .integer(1)) }))
            }
            return ["$or": .array(alternatives)]
        }
        #expect(Self.faults(clauses(50)) == [])
        #expect(Self.faults(clauses(51)) == ["/filter must have at most 50 clauses"])
    }

    @Test func aFilterHasEightKibibytesAtMost() {
        func filter(_ bytes: Int) -> JSONValue {
            ["platform": .string(String(repeating: "a", count: bytes - #"{"platform":""}"#.utf8.count))]
        }
        #expect(Self.faults(filter(8192)) == [])
        #expect(Self.faults(filter(8193)) == ["/filter must have at most 8192 bytes of JSON"])
    }

    @Test func aHundredValuesMayBeListed() {
        func values(_ count: Int64) -> JSONValue { ["amount": ["$in": .array((0..<count).map { .integer($0) })]] }
        #expect(Self.faults(values(100)) == [])
        #expect(Self.faults(values(101)) == ["/filter/amount/$in must be an array of 1 to 100 values"])
    }

    @Test func hugeInputIsRefusedAtOnce() {
        let huge: JSONValue = .array(Array(repeating: ["$or": [["nope": 1]]], count: 100_000))
        #expect(Self.faults(huge).count == 1)
        #expect(Self.faults(["$or": huge]).count == 1)
        #expect(Self.faults(["amount": ["$in": .array(Array(repeating: 1, count: 1_000_000))]]).count == 1)
    }
}
