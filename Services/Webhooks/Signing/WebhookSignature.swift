import Encryption
import Foundation

/// `webhook-signature` of Standard Webhooks 1.0.0 ("Signature scheme"): `v1,` and base64 of HMAC-SHA256, or `v1a,` and base64 of an Ed25519
/// signature, each over `id.timestamp.body`.
enum WebhookSignature {
    /// One signature for each secret and then for each key, separated by spaces: during a rotation the receiver may hold either. Receivers skip
    /// the versions that they do not know.
    static func header(
        id: String,
        timestamp: Int64,
        body: [UInt8],
        secrets: [WebhookSecret],
        keys: [SigningKey] = []
    ) throws -> String {
        let signed = Array("\(id).\(timestamp).".utf8) + body
        let tags = try secrets.map { Self.text("v1", try HMAC.authenticate(.sha256, key: $0.key, signed)) }
        let signatures = try keys.map { Self.text("v1a", try $0.sign(signed)) }
        return (tags + signatures).joined(separator: " ")
    }

    private static func text(_ version: String, _ signature: [UInt8]) -> String { "\(version),\(Data(signature).base64EncodedString())" }
}
