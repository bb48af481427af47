import Models

/// One operator under a path.
struct FilterClause: Sendable {
    enum Test: Sendable {
        case equal(FilterOperand)
        case notEqual(FilterOperand)
        case among([FilterOperand])
        case above(FilterOperand)
        case atLeast(FilterOperand)
        case below(FilterOperand)
        case atMost(FilterOperand)
        case startsWith(String)
        case exists(Bool)
    }

    let path: EventPath
    let test: Test
    /// Where it stands in the input.
    let pointer: String
    /// For people, as `data.platform $eq "linkedin"`.
    let text: String

    /// Of an absent value only `$ne` and `$exists: false` hold; a null is there. Comparing values of different kinds is false.
    func holds(for value: JSONValue?) -> Bool {
        guard let value else {
            switch self.test {
            case .notEqual: return true
            case .exists(let expected): return !expected
            default: return false
            }
        }
        switch self.test {
        case .equal(let operand): return operand.equals(value)
        case .notEqual(let operand): return !operand.equals(value)
        case .among(let operands): return operands.contains { $0.equals(value) }
        case .above(let operand): return operand.order(of: value) == .greater
        case .atLeast(let operand): return operand.order(of: value).map { $0 != .less } ?? false
        case .below(let operand): return operand.order(of: value) == .less
        case .atMost(let operand): return operand.order(of: value).map { $0 != .greater } ?? false
        case .startsWith(let prefix): return value.stringValue?.utf8.starts(with: prefix.utf8) ?? false
        case .exists(let expected): return expected
        }
    }
}

/// A filter as it is asked of events.
indirect enum FilterNode: Sendable {
    case clause(FilterClause)
    case all([FilterNode])
    case any([FilterNode], pointer: String)
    /// The plain opposite: true of an absent value, unless what it denies is itself true of one.
    case not(FilterNode, pointer: String, text: String)

    func holds(in event: EventView) -> Bool {
        switch self {
        case .clause(let clause): clause.holds(for: clause.path.value(in: event))
        case .all(let nodes): nodes.allSatisfy { $0.holds(in: event) }
        case .any(let nodes, _): nodes.contains { $0.holds(in: event) }
        case .not(let node, _, _): !node.holds(in: event)
        }
    }

    /// Of several, the first.
    var requiredValue: (path: EventPath, value: FilterValue)? {
        switch self {
        case .clause(let clause):
            guard case .equal(let operand) = clause.test, let value = operand.key else { return nil }
            return (clause.path, value)
        case .all(let nodes): return nodes.lazy.compactMap(\.requiredValue).first
        case .any, .not: return nil
        }
    }

    func explain(_ event: EventView) -> [EventFilter.Verdict] {
        switch self {
        case .clause(let clause):
            let value = clause.path.value(in: event)
            return [.init(pointer: clause.pointer, text: clause.text, passed: clause.holds(for: value), found: value)]
        case .all(let nodes): return nodes.flatMap { $0.explain(event) }
        case .any(let nodes, let pointer):
            let text = "\(FilterConnective.or.rawValue): one of \(nodes.count) at least"
            return [.init(pointer: pointer, text: text, passed: self.holds(in: event))] + nodes.flatMap { $0.explain(event) }
        case .not(let node, let pointer, let text):
            return [.init(pointer: pointer, text: text, passed: self.holds(in: event))] + node.explain(event)
        }
    }
}
