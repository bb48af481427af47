import Models

/// An event as subscribers see it: what filters ask and templates quote.
struct EventView: Sendable {
    var id: String
    var type: String
    /// RFC 3339, as it is delivered.
    var timestamp: String
    var data: JSONValue
}

extension EventView {
    init(_ event: Event) {
        self.init(id: event.id, type: event.type, timestamp: Timestamp.format(event.timestamp), data: event.data)
    }
}
