import Encryption
import Foundation

/// `webhook-signature` of Standard Webhooks 1.0.0: `v1,` and base64 of HMAC-SHA256 over `id.timestamp.body`.
enum WebhookSignature {
    /// One signature for each secret, separated by spaces: during a rotation the receiver may hold either.
    static func header(id: String, timestamp: Int64, body: [UInt8], secrets: [WebhookSecret]) throws -> String {
        let signed = Array("\(id).\(timestamp).".utf8) + body
        return
            try secrets
            .map { "v1," + Data(try HMAC.authenticate(.sha256, key: $0.key, signed)).base64EncodedString() }
            .joined(separator: " ")
    }
}
