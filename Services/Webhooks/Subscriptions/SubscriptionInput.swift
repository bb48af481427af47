import Models
import ServiceKit
import Transport

extension NewSubscription {
    static let longestURL = 2000

    /// Reads `{"webhook_url" | "target_url", "trigger_event" | "trigger_events", "description"}`.
    /// - Throws: a validation ``Problem`` that names every fault.
    init(_ body: JSONValue, outboundGuard: OutboundGuard) throws {
        var fields = FieldReader(body)
        self.targetURL = Secret(Self.readURL(&fields, of: body, outboundGuard))
        self.eventTypes = Self.readEventTypes(&fields, of: body)
        self.description = fields.optionalString("description", 0...500)
        try fields.finish()
    }

    private static func readURL(_ fields: inout FieldReader, of body: JSONValue, _ outboundGuard: OutboundGuard) -> String {
        let names = ["webhook_url", "target_url"]
        let values = names.map { fields.optionalString($0, 1...Self.longestURL) }
        let given = names.filter { body.holds($0) }
        guard given.count == 1, let name = given.first else {
            fields.fault("webhook_url", "give either webhook_url or target_url")
            return ""
        }
        // Where the one given could not be read, the reader has named the fault.
        guard let url = values.compactMap({ $0 }).first, !url.isEmpty else { return "" }
        if let refusal = outboundGuard.refusal(url: url) { fields.fault(name, refusal) }
        return url
    }

    private static func readEventTypes(_ fields: inout FieldReader, of body: JSONValue) -> [EventType] {
        let one = fields.optionalString("trigger_event", 1...100)
        let several = fields.optionalArray("trigger_events", 1...100)
        guard body.holds("trigger_event") != body.holds("trigger_events") else {
            fields.fault("trigger_event", "give either trigger_event or trigger_events")
            return []
        }
        var types: [EventType] = []
        if let one, !one.isEmpty {
            Self.append(one, to: &types) { fields.fault("trigger_event", $0) }
        }
        for (index, item) in (several ?? []).enumerated() {
            guard let name = item.stringValue else {
                fields.fault(at: "/trigger_events/\(index)", "must be a string")
                continue
            }
            Self.append(name, to: &types) { fields.fault(at: "/trigger_events/\(index)", $0) }
        }
        return types
    }

    /// Repeated names count once.
    private static func append(_ name: String, to types: inout [EventType], fault: (String) -> Void) {
        guard let type = EventType(rawValue: name) else {
            return fault("there is no such event; known are \(EventType.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        if !types.contains(type) { types.append(type) }
    }
}

extension JSONValue {
    /// A member of this name that is not null.
    fileprivate func holds(_ name: String) -> Bool { (self[name] ?? .null) != .null }
}
