import Models
import ServiceKit

/// Reads a filter and collects every fault in it. Readers return nil on a fault.
struct FilterParser {
    let outline: EventOutline
    /// Faults against the catalogue are not counted.
    let isStored: Bool
    private(set) var faults: [Problem.Fault] = []
    private var clauses = 0

    init(outline: EventOutline, isStored: Bool = false) {
        self.outline = outline
        self.isStored = isStored
    }

    mutating func document(_ value: JSONValue, at pointer: String) -> FilterNode? {
        let node = value == [:] ? .all([]) : self.filter(value, at: pointer, depth: 1)
        if self.clauses > EventFilter.mostClauses { self.fault(pointer, "must have at most \(EventFilter.mostClauses) clauses") }
        return node
    }

    mutating func fault(_ pointer: String, _ detail: String) {
        self.faults.append(Problem.Fault(pointer: pointer, detail: detail))
    }

    /// A fault that only the catalogue makes one.
    mutating func catalogueFault(_ pointer: String, _ detail: String) {
        if !self.isStored { self.fault(pointer, detail) }
    }

    mutating func countClause() { self.clauses += 1 }

    /// The members of an object that is not nested too deeply and not empty, sorted by name: faults and verdicts come in a fixed order.
    mutating func members(of value: JSONValue, at pointer: String, depth: Int, _ wording: String) -> [(key: String, value: JSONValue)]? {
        guard depth <= EventFilter.deepest else {
            self.fault(pointer, "is nested more than \(EventFilter.deepest) deep")
            return nil
        }
        guard let members = value.objectValue, !members.isEmpty else {
            self.fault(pointer, "must be \(wording)")
            return nil
        }
        return members.sorted { $0.key < $1.key }
    }

    private mutating func filter(_ value: JSONValue, at pointer: String, depth: Int) -> FilterNode? {
        let wording = #"an object of conditions, as {"data.platform": "linkedin"}"#
        guard let members = self.members(of: value, at: pointer, depth: depth, wording) else { return nil }
        let nodes = members.compactMap {
            self.condition($0.key, $0.value, at: "\(pointer)/\(JSONPointer.escape($0.key))", depth: depth)
        }
        return .all(nodes)
    }

    private mutating func condition(_ name: String, _ value: JSONValue, at pointer: String, depth: Int) -> FilterNode? {
        switch FilterConnective(rawValue: name) {
        case .or: return self.alternatives(value, at: pointer, depth: depth)
        case .not:
            return self.filter(value, at: pointer, depth: depth + 1).map { .not($0, pointer: pointer, text: "\(name): this must not hold") }
        case nil:
            guard !name.hasPrefix("$") else {
                self.fault(pointer, Self.unknownConnective(name))
                return nil
            }
            guard let place = self.place(name, at: pointer) else { return nil }
            return self.clauses(value, on: place, at: pointer, depth: depth)
        }
    }

    private mutating func alternatives(_ value: JSONValue, at pointer: String, depth: Int) -> FilterNode? {
        guard let items = value.arrayValue, (1...EventFilter.mostAlternatives).contains(items.count) else {
            self.fault(pointer, "must be an array of 1 to \(EventFilter.mostAlternatives) filters")
            return nil
        }
        let nodes = items.enumerated().compactMap { self.filter($1, at: "\(pointer)/\($0)", depth: depth + 1) }
        return .any(nodes, pointer: pointer)
    }

    private mutating func place(_ name: String, at pointer: String) -> FilterPlace? {
        do throws(EventPath.Malformed) {
            let path = try EventPath(parsing: name)
            guard let refusal = self.outline.refusal(of: path) else {
                return FilterPlace(path: path, finding: self.outline.finding(at: path))
            }
            self.catalogueFault(pointer, refusal)
            return FilterPlace(path: path, finding: .anything)
        } catch {
            self.fault(pointer, error.detail)
            return nil
        }
    }

    private static func unknownConnective(_ name: String) -> String {
        if name == "$and" { return "there is no $and; members of one object are joined by AND as they are" }
        if FilterOperator(rawValue: name) != nil { return #"stands under a path, as in {"data.value": {"\#(name)": …}}"# }
        return "there is no \(name)\(Suggestion.text(for: name, among: FilterConnective.allCases.map(\.rawValue)))"
    }
}
