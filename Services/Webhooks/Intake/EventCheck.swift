import Models

/// Whether an event may go to subscribers.
enum EventCheck {
    /// Why an event is kept back. The raw value stands in `events.quarantine`.
    enum Quarantine: String, Sendable {
        case malformedID = "malformed_id"
        case unknownType = "unknown_type"
    }

    static func quarantine(_ event: Event) -> Quarantine? {
        if !isWellFormed(id: event.id) { return .malformedID }
        return EventType(rawValue: event.type) == nil ? .unknownType : nil
    }

    /// `evt_` and 32 lower-case hexadecimal digits: what partitions, signatures (no full stop) and traces rely on.
    static func isWellFormed(id: String) -> Bool {
        let bytes = Array(id.utf8)
        guard bytes.count == 36, id.hasPrefix("evt_") else { return false }
        return bytes.dropFirst(4).allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
    }
}
