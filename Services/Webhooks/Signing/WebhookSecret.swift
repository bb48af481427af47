import Encryption
import Foundation
import Models

/// The key that one subscription's deliveries are signed with: `whsec_` and base64 (Standard Webhooks 1.0.0, "Signature scheme").
struct WebhookSecret: Sendable {
    static let prefix = "whsec_"
    /// The specification asks for 24 to 64.
    static let length = 32

    let text: Secret
    let key: [UInt8]

    static func make() throws -> WebhookSecret {
        let key = try RandomToken.bytes(Self.length)
        return WebhookSecret(text: Secret(Self.prefix + Data(key).base64EncodedString()), key: key)
    }

    /// nil where the text is no such secret.
    init?(_ text: Secret) {
        let revealed = text.reveal()
        guard revealed.hasPrefix(Self.prefix), let key = Data(base64Encoded: String(revealed.dropFirst(Self.prefix.count))), !key.isEmpty
        else { return nil }
        self.init(text: text, key: [UInt8](key))
    }

    private init(text: Secret, key: [UInt8]) {
        self.text = text
        self.key = key
    }
}
