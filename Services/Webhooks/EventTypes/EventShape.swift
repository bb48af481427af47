import Models
import ServiceKit

/// What the catalogue promises of a JSON value: it is told as JSON Schema (2020-12), and it is what events are held against.
indirect enum EventShape: Sendable {
    case string
    /// Of RFC 3339, as ``Timestamp`` writes it.
    case dateTime
    case email
    case uri
    /// One of these words.
    case choice([String])
    /// Of what may stand in another system: a number as the platform's own, or whatever it is called there.
    case identifier
    case integer
    case number
    case boolean
    case object([EventField])
    case array(of: EventShape)

    /// JSON Schema of the value.
    var schema: JSONValue {
        switch self {
        case .string: ["type": "string"]
        case .dateTime: ["type": "string", "format": "date-time"]
        case .email: ["type": "string", "format": "email"]
        case .uri: ["type": "string", "format": "uri"]
        case .choice(let words): ["type": "string", "enum": .array(words.map(JSONValue.string))]
        case .identifier: ["type": ["integer", "string"]]
        case .integer: ["type": "integer"]
        case .number: ["type": "number"]
        case .boolean: ["type": "boolean"]
        case .array(let items): ["type": "array", "items": items.schema]
        case .object(let fields):
            [
                "type": "object",
                "properties": .object(Dictionary(fields.map { ($0.name, $0.schema) }, uniquingKeysWith: { $1 })),
                "required": .array(fields.filter(\.isRequired).map { .string($0.name) }),
                // Members that are not listed may be added at any time.
                "additionalProperties": true,
            ]
        }
    }

    /// Every way in which the value is not what is promised, with its JSON pointer (RFC 6901). Addresses and URIs are only told apart by people.
    func faults(in value: JSONValue) -> [Problem.Fault] {
        var faults: [Problem.Fault] = []
        self.collect(&faults, in: value, at: "")
        return faults
    }

    /// Pointers are written for what is at fault alone: each event of the house passes here.
    fileprivate func collect(_ faults: inout [Problem.Fault], in value: JSONValue, at pointer: @autoclosure () -> String) {
        switch (self, value) {
        case (.object(let fields), .object(let members)):
            for field in fields { field.collect(&faults, in: members, at: pointer()) }
        case (.array(let items), .array(let values)):
            for (index, value) in values.enumerated() { items.collect(&faults, in: value, at: "\(pointer())/\(index)") }
        default:
            if !self.isFulfilled(by: value) { faults.append(Problem.Fault(pointer: pointer(), detail: "must be \(self.wording)")) }
        }
    }

    private func isFulfilled(by value: JSONValue) -> Bool {
        switch (self, value) {
        case (.string, .string), (.email, .string), (.uri, .string), (.boolean, .bool): true
        case (.dateTime, .string(let text)): Timestamp.parse(text) != nil
        case (.choice(let words), .string(let text)): words.contains(text)
        case (.identifier, .string), (.identifier, .integer): true
        case (.integer, .integer), (.number, .integer), (.number, .double): true
        // JSON Schema counts 5.0 among the integers.
        case (.integer, .double(let number)): number == number.rounded()
        default: false
        }
    }

    /// What the value is, for people.
    var wording: String {
        switch self {
        case .string: "a string"
        case .dateTime: "a date and time as in RFC 3339"
        case .email: "an email address"
        case .uri: "a URI"
        case .choice(let words): "one of \(words.joined(separator: ", "))"
        case .identifier: "an integer or a string"
        case .integer: "an integer"
        case .number: "a number"
        case .boolean: "true or false"
        case .object: "an object"
        case .array: "an array"
        }
    }
}

/// A member of an object that the catalogue describes.
struct EventField: Sendable {
    var name: String
    var shape: EventShape
    /// For people.
    var description: String
    /// Null where there is no value; it is there all the same, unless it is not required.
    var isNullable: Bool
    var isRequired: Bool

    init(_ name: String, _ shape: EventShape, _ description: String, isNullable: Bool = false, isRequired: Bool = true) {
        self.name = name
        self.shape = shape
        self.description = description
        self.isNullable = isNullable
        self.isRequired = isRequired
    }

    var schema: JSONValue {
        guard case .object(var schema) = self.shape.schema else { return self.shape.schema }
        schema["description"] = .string(self.description)
        if self.isNullable {
            let kinds = schema["type"]?.arrayValue ?? [schema["type"] ?? "string"]
            schema["type"] = .array(kinds + ["null"])
            if let words = schema["enum"]?.arrayValue { schema["enum"] = .array(words + [.null]) }
        }
        return .object(schema)
    }

    fileprivate func collect(_ faults: inout [Problem.Fault], in members: [String: JSONValue], at pointer: @autoclosure () -> String) {
        func place() -> String { "\(pointer())/\(JSONPointer.escape(self.name))" }
        guard let value = members[self.name] else {
            if self.isRequired { faults.append(Problem.Fault(pointer: place(), detail: "is missing")) }
            return
        }
        if self.isNullable, value == .null { return }
        self.shape.collect(&faults, in: value, at: place())
    }
}
