import Encryption
import Models

/// A key of an organization, opened: it signs deliveries as `v1a`.
struct SigningKey: Sendable {
    let id: SigningKeyID
    private let key: Ed25519.PrivateKey

    init(id: SigningKeyID, key: Ed25519.PrivateKey) {
        self.id = id
        self.key = key
    }

    func sign(_ message: [UInt8]) throws -> [UInt8] { try self.key.sign(message) }
}
