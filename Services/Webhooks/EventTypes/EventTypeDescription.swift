import Models

/// What the catalogue says about one event type.
struct EventTypeDescription: Sendable {
    /// A member of the event's `data`.
    struct Field: Sendable {
        enum Kind: String, Sendable { case string, integer, number, boolean, object, array }

        var name: String
        var kind: Kind
        var description: String
        /// Null where there is no value; it is there all the same.
        var isNullable: Bool
        /// JSON Schema `format`, for strings: `date-time`, `email`, `uri`.
        var format: String?

        init(_ name: String, _ kind: Kind, _ description: String, isNullable: Bool = false, format: String? = nil) {
            self.name = name
            self.kind = kind
            self.description = description
            self.isNullable = isNullable
            self.format = format
        }
    }

    var type: EventType
    /// Raised when a member is removed or changes its meaning; new members alone do not raise it.
    var version: Int
    var summary: String
    var fields: [Field]
    /// `data` of the example.
    var example: JSONValue

    /// JSON Schema (2020-12) of `data`. Members that are not listed may be added at any time.
    var dataSchema: JSONValue {
        let properties = self.fields.map { field -> (String, JSONValue) in
            let kind = JSONValue.string(field.kind.rawValue)
            var property: [String: JSONValue] = [
                "type": field.isNullable ? [kind, "null"] : kind, "description": .string(field.description),
            ]
            property["format"] = field.format.map(JSONValue.string)
            return (field.name, .object(property))
        }
        return [
            "type": "object",
            "properties": .object(Dictionary(properties, uniquingKeysWith: { $1 })),
            "required": .array(self.fields.map { .string($0.name) }),
            "additionalProperties": true,
        ]
    }

    /// The whole event as a subscriber would get it.
    var exampleEvent: JSONValue {
        [
            "id": "evt_019a9f6e2b7c7d3e8f10a2b3c4d5e6f7",
            "type": .string(self.type.rawValue),
            "timestamp": "2026-11-22T08:30:00.123Z",
            "data": self.example,
        ]
    }
}
