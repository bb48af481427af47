import Encryption
import HTTPTypes
import Models

/// What is posted: `{"id","type","timestamp","data"}`, compact, or what the subscription's template makes of it; the same bytes at every attempt.
enum WebhookBody {
    /// nil once the event has left the log.
    /// - Throws: ``PayloadTemplateError``.
    static func bytes(of delivery: ClaimedDelivery, _ template: PayloadTemplate?) throws -> [UInt8]? {
        guard let occurredAt = delivery.occurredAt, let data = delivery.data else { return nil }
        if let template {
            let view = EventView(
                id: delivery.eventID,
                type: delivery.eventType,
                timestamp: Timestamp.format(occurredAt),
                data: try JSONValue(parsing: Array(data.utf8))
            )
            return try template.render(view)
        }
        var bytes: [UInt8] = Array("{\"id\":".utf8)
        bytes.reserveCapacity(data.utf8.count + 160)
        JSONText.writeString(delivery.eventID, into: &bytes)
        bytes.append(contentsOf: ",\"type\":".utf8)
        JSONText.writeString(delivery.eventType, into: &bytes)
        bytes.append(contentsOf: ",\"timestamp\":".utf8)
        JSONText.writeString(Timestamp.format(occurredAt), into: &bytes)
        bytes.append(contentsOf: ",\"data\":".utf8)
        // Compact already: the intake wrote it.
        bytes.append(contentsOf: data.utf8)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }
}

/// Header names of Standard Webhooks 1.0.0 and of W3C Trace Context.
enum WebhookHeader {
    static let id = name("webhook-id")
    static let timestamp = name("webhook-timestamp")
    static let signature = name("webhook-signature")
    static let traceParent = name("traceparent")

    private static func name(_ text: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(text) else { preconditionFailure("not a header name: \(text)") }
        return name
    }

    /// All attempts of one event are one trace: the event's UUID is the trace id, each attempt a span of it.
    static func traceParent(eventID: String) -> String {
        let span = String(UInt64.random(in: 1...UInt64.max), radix: 16)
        return "00-\(eventID.dropFirst(4))-\(String(repeating: "0", count: 16 - span.count))\(span)-01"
    }
}
