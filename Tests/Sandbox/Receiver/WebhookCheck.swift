import Encryption
import Foundation
import HTTPTypes

/// Verifies Standard Webhooks 1.0.0 as a receiver does, written from the specification and not from the sender.
enum WebhookCheck {
    /// Seconds that a timestamp may lie off.
    static let tolerance = 300.0

    /// nil where the delivery is genuine, else why not.
    static func refusal(of delivery: ReceivedDelivery, secret: String, now: Date) -> String? {
        guard let id = delivery.id, let time = delivery.timestamp, let header = delivery.signature else {
            return "a webhook- header is missing"
        }
        guard let seconds = Int64(time) else { return "the timestamp is no number" }
        guard abs(now.timeIntervalSince1970 - Double(seconds)) <= tolerance else { return "the timestamp is too far off" }
        let encoded = secret.hasPrefix("whsec_") ? String(secret.dropFirst(6)) : secret
        guard let key = Data(base64Encoded: encoded) else { return "the secret is not base64" }
        let signed = Array("\(id).\(time).".utf8) + delivery.body
        for signature in header.split(separator: " ") {
            let parts = signature.split(separator: ",", maxSplits: 1)
            guard parts.count == 2, parts[0] == "v1", let given = Data(base64Encoded: String(parts[1])) else { continue }
            if (try? HMAC.isValid([UInt8](given), .sha256, key: [UInt8](key), signed)) == true { return nil }
        }
        return "no signature fits"
    }
}

/// One POST as it came.
struct ReceivedDelivery: Sendable {
    var id: String?
    var timestamp: String?
    var signature: String?
    var userAgent: String?
    var traceParent: String?
    var contentType: String?
    var body: [UInt8]
    var receivedAt: Date

    init(headers: HTTPFields, body: [UInt8], receivedAt: Date) {
        func value(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }
        self.id = value("webhook-id")
        self.timestamp = value("webhook-timestamp")
        self.signature = value("webhook-signature")
        self.userAgent = value("user-agent")
        self.traceParent = value("traceparent")
        self.contentType = value("content-type")
        self.body = body
        self.receivedAt = receivedAt
    }
}
