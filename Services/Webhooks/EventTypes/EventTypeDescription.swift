import Models

/// What the catalogue says about one event type.
struct EventTypeDescription: Sendable {
    var type: EventType
    /// Raised when a member is removed or changes its meaning; new members alone do not raise it.
    var version: Int = 1
    var summary: String
    /// Members of the event's `data`.
    var fields: [EventField]
    /// `data` of the example.
    var example: JSONValue

    /// Of `data`.
    var shape: EventShape { .object(self.fields) }

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
