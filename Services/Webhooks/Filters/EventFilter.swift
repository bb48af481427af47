import Models

/// Which events of its types a subscription wants, as `{"data.platform": "linkedin", "data.value": {"$gte": 100, "$lt": 1000}}`. Members of
/// an object are joined by AND; `$or` holds alternatives, `$not` denies a filter, or under a path its operators. An empty filter lets all
/// through.
struct EventFilter: Sendable {
    // Limits of our own: every event of an organization is held against every filter of it.
    /// Of filters and `$not` in one another.
    static let deepest = 5
    static let mostClauses = 50
    /// Bytes of compact JSON.
    static let longest = 8 * 1024
    static let mostAlternatives = 20
    /// Of one `$in`.
    static let mostValues = 100

    /// One clause, `$or` or `$not`, and how an event fares with it. Clauses below `$or` and `$not` have verdicts of their own, which count
    /// for the event only through it.
    struct Verdict: Sendable, Equatable {
        /// JSON pointer into the body that the filter came with.
        var pointer: String
        /// For people, as `data.platform $eq "linkedin"`.
        var text: String
        var passed: Bool
        /// What the event has at the clause's path; nil where it has nothing there, and for `$or` and `$not`.
        var found: JSONValue?
    }

    /// As it was given.
    let json: JSONValue
    private let root: FilterNode

    /// A filter, or every fault in it. A path is taken if at least one of the types has it, and an operand if it can ever be met there.
    static func parse(
        _ value: JSONValue,
        for types: [EventType],
        at pointer: String = "/filter"
    ) -> (filter: EventFilter?, faults: [Problem.Fault]) {
        self.parse(value, within: EventOutline(types), at: pointer)
    }

    static func parse(
        _ value: JSONValue,
        within outline: EventOutline,
        at pointer: String = "/filter"
    ) -> (filter: EventFilter?, faults: [Problem.Fault]) {
        guard value.serialized().count <= self.longest else {
            return (nil, [Problem.Fault(pointer: pointer, detail: "must have at most \(self.longest) bytes of JSON")])
        }
        var parser = FilterParser(outline: outline)
        let root = parser.document(value, at: pointer)
        guard parser.faults.isEmpty, let root else { return (nil, parser.faults) }
        return (EventFilter(json: value, root: root), [])
    }

    /// A filter that was taken once. What the catalogue has lost since is no fault: a release must not end a subscription.
    init?(stored value: JSONValue, for types: [EventType], at pointer: String = "/filter") {
        var parser = FilterParser(outline: EventOutline(types), isStored: true)
        guard let root = parser.document(value, at: pointer), parser.faults.isEmpty else { return nil }
        self.init(json: value, root: root)
    }

    private init(json: JSONValue, root: FilterNode) {
        self.json = json
        self.root = root
    }

    func matches(_ event: EventView) -> Bool { self.root.holds(in: event) }

    /// A path and the only value there that this filter lets through; nil where there is none such.
    var requiredValue: (path: EventPath, value: FilterValue)? { self.root.requiredValue }

    /// Every clause with its verdict, in the order of the pointers' names; none is left out once the outcome is clear.
    func explain(_ event: EventView) -> [Verdict] { self.root.explain(event) }
}
