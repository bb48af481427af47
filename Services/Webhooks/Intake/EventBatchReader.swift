import Models

/// Reads a batch from parsed JSON: Foundation's decoder takes ten times as long for events, whose data may be anything.
enum EventBatchReader {
    /// - Throws: a validation ``Problem`` that names the first fault; a batch comes from a process of the house.
    static func batch(_ body: JSONValue) throws -> EventBatch {
        guard let items = body["events"]?.arrayValue else { throw Self.refusal("/events", "must be an array") }
        return EventBatch(events: try items.enumerated().map { try self.entry($1, at: "/events/\($0)") })
    }

    private static func entry(_ value: JSONValue, at pointer: String) throws -> EventBatch.Entry {
        guard let organization = value["organization_id"]?.integerValue else {
            throw Self.refusal("\(pointer)/organization_id", "must be an integer")
        }
        guard let event = value["event"], let data = event["data"] else { throw Self.refusal("\(pointer)/event/data", "is missing") }
        guard let timestamp = Timestamp.parse(try self.text("timestamp", of: event, at: pointer)) else {
            throw Self.refusal("\(pointer)/event/timestamp", "must be an RFC 3339 time")
        }
        let made = Event(
            id: try self.text("id", of: event, at: pointer),
            type: try self.text("type", of: event, at: pointer),
            timestamp: timestamp,
            data: data
        )
        return EventBatch.Entry(organizationID: OrganizationID(organization), event: made)
    }

    private static func text(_ name: String, of event: JSONValue, at pointer: String) throws -> String {
        guard let text = event[name]?.stringValue else { throw Self.refusal("\(pointer)/event/\(name)", "must be a string") }
        return text
    }

    private static func refusal(_ pointer: String, _ detail: String) -> Problem {
        Problem.validation([Problem.Fault(pointer: pointer, detail: detail)])
    }
}
