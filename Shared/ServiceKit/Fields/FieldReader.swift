import Foundation
package import Models

/// Reads a JSON object field by field and collects every fault, unknown fields among them. Readers return a harmless placeholder on a fault;
/// `finish()` throws one validation problem that names all. Null counts as absent.
package struct FieldReader {
    private let members: [String: JSONValue]
    private let pointer: String
    private var known: Set<String> = []
    package private(set) var faults: [Problem.Fault] = []

    package init(_ value: JSONValue, at pointer: String = "") {
        self.pointer = pointer
        self.members = value.objectValue ?? [:]
        if value.objectValue == nil { self.faults.append(Problem.Fault(pointer: pointer, detail: "must be an object")) }
    }

    /// True where the field is there, null included.
    package func has(_ name: String) -> Bool { self.members[name] != nil }

    package mutating func fault(_ name: String, _ detail: String) {
        self.faults.append(Problem.Fault(pointer: self.pointer(to: name), detail: detail))
    }

    /// Adds a fault at a full JSON pointer.
    package mutating func fault(at pointer: String, _ detail: String) {
        self.faults.append(Problem.Fault(pointer: pointer, detail: detail))
    }

    package mutating func finish() throws {
        let faults = self.allFaults()
        guard faults.isEmpty else { throw Problem.validation(faults) }
    }

    /// The faults so far and one for each field that nobody asked for.
    func allFaults() -> [Problem.Fault] {
        let unknown = self.members.keys.filter { !self.known.contains($0) }.sorted()
        return self.faults + unknown.map { Problem.Fault(pointer: self.pointer(to: $0), detail: "is not a known field") }
    }

    func pointer(to name: String) -> String { self.pointer + "/" + JSONPointer.escape(name) }

    /// The field's value; nil where it is absent or null.
    mutating func take(_ name: String) -> JSONValue? {
        self.known.insert(name)
        guard let value = self.members[name], value != .null else { return nil }
        return value
    }

    mutating func missing(_ name: String) { self.fault(name, "is missing") }

    // MARK: - Objects and arrays

    /// Reads an object field with a reader of its own, whose faults join these.
    package mutating func optionalFields<Value>(_ name: String, _ read: (inout FieldReader) -> Value) -> Value? {
        guard let value = self.take(name) else { return nil }
        var reader = FieldReader(value, at: self.pointer(to: name))
        let result = read(&reader)
        self.faults += reader.allFaults()
        return result
    }

    /// As ``optionalFields(_:_:)``, for an object that must be there.
    package mutating func fields<Value>(_ name: String, _ read: (inout FieldReader) -> Value) -> Value {
        if let value = self.optionalFields(name, read) { return value }
        self.missing(name)
        var reader = FieldReader([:], at: self.pointer(to: name))
        return read(&reader)
    }

    /// Reads an array of objects, each with a reader of its own.
    package mutating func optionalItems<Value>(
        _ name: String,
        _ count: ClosedRange<Int> = 0...1000,
        _ read: (inout FieldReader) -> Value
    ) -> [Value]? {
        guard let items = self.optionalArray(name, count) else { return nil }
        return items.enumerated().map { index, item in
            var reader = FieldReader(item, at: "\(self.pointer(to: name))/\(index)")
            let value = read(&reader)
            self.faults += reader.allFaults()
            return value
        }
    }

    package mutating func optionalObject(_ name: String) -> [String: JSONValue]? {
        guard let value = self.optionalValue(name) else { return nil }
        guard let members = value.objectValue else {
            self.fault(name, "must be an object")
            return nil
        }
        return members
    }

    package mutating func optionalArray(_ name: String, _ count: ClosedRange<Int> = 0...1000) -> [JSONValue]? {
        guard let value = self.optionalValue(name) else { return nil }
        guard let items = value.arrayValue else {
            self.fault(name, "must be an array")
            return nil
        }
        guard count.contains(items.count) else {
            self.fault(name, "must have \(count.lowerBound) to \(count.upperBound) items")
            return nil
        }
        return items
    }

    /// Any JSON that Postgres can keep: U+0000 is refused wherever it stands.
    package mutating func optionalValue(_ name: String) -> JSONValue? {
        guard let value = self.take(name) else { return nil }
        guard !value.containsNull else {
            self.fault(name, "must not contain the character U+0000")
            return nil
        }
        return value
    }
}

extension JSONValue {
    /// True where a string or member name holds U+0000, which neither text nor jsonb of Postgres can keep.
    fileprivate var containsNull: Bool {
        switch self {
        case .null, .bool, .integer, .double: false
        case .string(let text): text.utf8.contains(0)
        case .array(let items): items.contains(where: \.containsNull)
        case .object(let members): members.contains { $0.key.utf8.contains(0) || $0.value.containsNull }
        }
    }
}
