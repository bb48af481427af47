import Models

/// Whether an event may go to subscribers.
enum EventCheck {
    /// Why an event is kept back. The raw value stands in `events.quarantine`.
    enum Quarantine: String, Sendable {
        case malformedID = "malformed_id"
        case unknownType = "unknown_type"
        /// Its `data` is not what the catalogue promises.
        case schema
        /// A sample that was made to try one target with.
        case test
    }

    static func quarantine(_ event: Event) -> Quarantine? {
        if !isWellFormed(id: event.id) { return .malformedID }
        guard let type = EventType(rawValue: event.type) else { return .unknownType }
        return self.faults(of: event.data, as: type).isEmpty ? nil : .schema
    }

    /// Where the data of an event is not what the catalogue promises of its type.
    static func faults(of data: JSONValue, as type: EventType) -> [Problem.Fault] {
        EventCatalogue.description(of: type).shape.faults(in: data)
    }

    /// `evt_` and 32 lower-case hexadecimal digits: what partitions, signatures (no full stop) and traces rely on.
    static func isWellFormed(id: String) -> Bool {
        let bytes = Array(id.utf8)
        guard bytes.count == 36, id.hasPrefix("evt_") else { return false }
        return bytes.dropFirst(4).allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
