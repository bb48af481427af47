import Models
import ServiceKit

extension FilterParser {
    /// What stands at a path: a value to equal, or an object of operators.
    mutating func clauses(_ value: JSONValue, on place: FilterPlace, at pointer: String, depth: Int) -> FilterNode? {
        switch value {
        case .object: return self.operators(value, on: place, at: pointer, depth: depth)
        case .array:
            self.fault(pointer, #"must be a value to equal or an object of operators; for one of several values write {"$in": […]}"#)
            return nil
        default: return self.clause(.equal, value, on: place, at: pointer)
        }
    }

    private mutating func operators(_ value: JSONValue, on place: FilterPlace, at pointer: String, depth: Int) -> FilterNode? {
        guard let members = self.members(of: value, at: pointer, depth: depth, #"an object of operators, as {"$gte": 100}"#) else {
            return nil
        }
        var nodes: [FilterNode] = []
        for (name, operand) in members {
            let pointer = "\(pointer)/\(JSONPointer.escape(name))"
            guard let symbol = FilterOperator(rawValue: name) else {
                self.fault(pointer, self.unknownOperator(name, on: place.path))
                continue
            }
            let node =
                symbol == .not
                ? self.operators(operand, on: place, at: pointer, depth: depth + 1)
                    .map { .not($0, pointer: pointer, text: "\(place.path.text) \(name): this must not hold") }
                : self.clause(symbol, operand, on: place, at: pointer)
            if let node { nodes.append(node) }
        }
        return .all(nodes)
    }

    private func unknownOperator(_ name: String, on path: EventPath) -> String {
        if name == FilterConnective.or.rawValue { return "stands beside paths, not under one" }
        // {"data": {"platform": …}}, with a path of two names written as two objects.
        let whole = "\(path.text).\(name)"
        if let inner = try? EventPath(parsing: whole), case .shapes = self.outline.finding(at: inner) {
            return "there is no operator \(name)\(Suggestion.meaning("the path \(whole)"))"
        }
        return "there is no operator \(name)\(Suggestion.text(for: name, among: FilterOperator.allCases.map(\.rawValue)))"
    }

    private mutating func clause(_ symbol: FilterOperator, _ value: JSONValue, on place: FilterPlace, at pointer: String) -> FilterNode? {
        self.countClause()
        guard let test = self.test(symbol, value, on: place, at: pointer) else { return nil }
        let text = "\(place.path.text) \(symbol.rawValue) \(value.text)"
        return .clause(FilterClause(path: place.path, test: test, pointer: pointer, text: text))
    }

    private mutating func test(
        _ symbol: FilterOperator,
        _ value: JSONValue,
        on place: FilterPlace,
        at pointer: String
    ) -> FilterClause.Test? {
        switch symbol {
        case .equal: return self.scalar(value, on: place, at: pointer).map { .equal($0) }
        case .notEqual: return self.scalar(value, on: place, at: pointer).map { .notEqual($0) }
        case .among: return self.values(value, on: place, at: pointer).map { .among($0) }
        case .above: return self.bound(value, on: place, at: pointer).map { .above($0) }
        case .atLeast: return self.bound(value, on: place, at: pointer).map { .atLeast($0) }
        case .below: return self.bound(value, on: place, at: pointer).map { .below($0) }
        case .atMost: return self.bound(value, on: place, at: pointer).map { .atMost($0) }
        case .startsWith: return self.prefix(value, on: place, at: pointer).map { .startsWith($0) }
        case .exists:
            guard let flag = value.boolValue else {
                self.fault(pointer, "must be true or false")
                return nil
            }
            return .exists(flag)
        case .not: return nil
        }
    }

    /// Something to equal.
    private mutating func scalar(_ value: JSONValue, on place: FilterPlace, at pointer: String) -> FilterOperand? {
        guard let operand = FilterOperand(value, isTime: place.isTime) else {
            self.fault(pointer, "must be a string, a number, true, false or null")
            return nil
        }
        if let refusal = place.refusal(of: value) ?? place.refusal(ofWord: value) { self.catalogueFault(pointer, refusal) }
        self.checkText(value, at: pointer)
        return operand
    }

    private mutating func values(_ value: JSONValue, on place: FilterPlace, at pointer: String) -> [FilterOperand]? {
        guard let items = value.arrayValue, (1...EventFilter.mostValues).contains(items.count) else {
            self.fault(pointer, "must be an array of 1 to \(EventFilter.mostValues) values")
            return nil
        }
        return items.enumerated().compactMap { self.scalar($1, on: place, at: "\(pointer)/\($0)") }
    }

    /// Something with an order.
    private mutating func bound(_ value: JSONValue, on place: FilterPlace, at pointer: String) -> FilterOperand? {
        guard let kind = FilterPlace.Kind(value), kind != .flag else {
            self.fault(pointer, "must be a number or a string")
            return nil
        }
        if let refusal = place.refusal(of: value) { self.catalogueFault(pointer, refusal) }
        self.checkText(value, at: pointer)
        return FilterOperand(value, isTime: place.isTime)
    }

    private mutating func prefix(_ value: JSONValue, on place: FilterPlace, at pointer: String) -> String? {
        guard let text = value.stringValue else {
            self.fault(pointer, "must be a string")
            return nil
        }
        if !place.takes(.text) { self.catalogueFault(pointer, "is for strings, and \(place.wording)") }
        self.checkText(value, at: pointer)
        return text
    }

    /// Neither text nor jsonb of Postgres can keep U+0000.
    private mutating func checkText(_ value: JSONValue, at pointer: String) {
        guard value.stringValue?.utf8.contains(0) ?? false else { return }
        self.fault(pointer, "must not contain the character U+0000")
    }
}
