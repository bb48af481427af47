import Models

extension ContactSearch {
    static let longestQuery = 3000
    /// Beyond this many results HubSpot refuses to page.
    static let cap = 10_000

    /// Reads the body of a search.
    /// - Throws: ``HubSpotError`` in HubSpot's words.
    init(_ body: JSONValue) throws(HubSpotError) {
        guard body.objectValue != nil else { throw .invalidJSON }
        let groups = body["filterGroups"]?.arrayValue ?? []
        var parsed: [[ContactFilter]] = []
        for group in groups {
            var filters: [ContactFilter] = []
            for filter in group["filters"]?.arrayValue ?? [] { filters.append(try ContactFilter(filter)) }
            parsed.append(filters)
        }
        guard parsed.count <= 5, parsed.allSatisfy({ $0.count <= 10 }), parsed.reduce(0, { $0 + $1.count }) <= 25 else {
            throw .validation("There are too many filters: at most 5 groups, 10 filters a group and 25 in all.")
        }
        self.groups = parsed
        self.query = body["query"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        guard (self.query ?? "").count <= Self.longestQuery else {
            throw .validation("The query is longer than \(Self.longestQuery) characters.")
        }
        (self.order, self.isDescending) = try Self.order(body["sorts"]?.arrayValue ?? [])
        self.limit = try Self.whole(body["limit"], "limit", 1...200) ?? 10
        self.offset = try Self.whole(body["after"], "after", 0...Int(Int32.max)) ?? 0
        guard self.offset + self.limit <= Self.cap else {
            throw .validation("Paging through search results is limited to \(Self.cap) results: narrow the search to page further.")
        }
    }

    private static func whole(_ value: JSONValue?, _ name: String, _ range: ClosedRange<Int>) throws(HubSpotError) -> Int? {
        guard let value, value != .null, value != "" else { return nil }
        let number = value.integerValue.map(Int.init) ?? value.stringValue.flatMap(Int.init)
        guard let number, range.contains(number) else {
            throw .validation("\(name) must be from \(range.lowerBound) to \(range.upperBound).")
        }
        return number
    }

    /// One sort at most, as an object or as a property's name, a leading minus turning it round.
    private static func order(_ sorts: [JSONValue]) throws(HubSpotError) -> (Order, Bool) {
        guard sorts.count <= 1 else { throw .validation("At most one sort is supported.") }
        guard let sort = sorts.first else { return (.id, false) }
        var name = sort["propertyName"]?.stringValue ?? sort.stringValue ?? ""
        var isDescending = sort["direction"]?.stringValue == "DESCENDING"
        if name.hasPrefix("-") {
            name.removeFirst()
            isDescending = true
        }
        guard ContactAccount.knownProperties.contains(name) else { throw .unknownProperty(name) }
        switch name {
        case "lastmodifieddate": return (.modified, isDescending)
        case "hs_object_id", "createdate": return (.id, isDescending)
        default: return (.property(name), isDescending)
        }
    }
}

extension ContactFilter {
    init(_ filter: JSONValue) throws(HubSpotError) {
        let property = filter["propertyName"]?.stringValue ?? ""
        guard ContactAccount.knownProperties.contains(property) else { throw .unknownProperty(property) }
        guard let comparison = filter["operator"]?.stringValue.flatMap(Operator.init) else {
            let known = Operator.allCases.map(\.rawValue).joined(separator: ", ")
            throw .validation("Invalid input JSON: the operator must be one of [\(known)]")
        }
        func text(_ name: String) -> String? { filter[name]?.stringValue ?? filter[name]?.integerValue.map { String($0) } }
        self.property = property
        self.comparison = comparison
        self.value = text("value") ?? ""
        self.highValue = text("highValue") ?? ""
        self.values = filter["values"]?.arrayValue?.compactMap { $0.stringValue ?? $0.integerValue.map { String($0) } } ?? []
        switch comparison {
        case .has, .hasNot: break
        case .among, .notAmong:
            guard !self.values.isEmpty else { throw .validation("operator \(comparison.rawValue) requires values") }
        case .between:
            guard text("value") != nil, text("highValue") != nil else { throw .validation("operator BETWEEN requires value and highValue") }
        default:
            guard text("value") != nil else { throw .validation("operator \(comparison.rawValue) requires a value") }
        }
    }
}
