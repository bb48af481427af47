import Encryption
import Models

/// Seals and opens a subscription's target and secret; each opens only in its own row and field.
struct SubscriptionVault: Sendable {
    enum Field: String, Sendable {
        case targetURL = "target_url"
        case secret
        case previousSecret = "previous_secret"
        case headers
    }

    let cipher: Cipher

    func seal(_ secret: Secret, _ field: Field, of id: SubscriptionID, in organization: OrganizationID) throws -> [UInt8] {
        try self.cipher.seal(Array(secret.reveal().utf8), for: Self.context(field, id, organization))
    }

    func open(_ envelope: [UInt8], _ field: Field, of id: SubscriptionID, in organization: OrganizationID) throws -> Secret {
        Secret(String(decoding: try self.cipher.open(envelope, for: Self.context(field, id, organization)), as: UTF8.self))
    }

    private static func context(_ field: Field, _ id: SubscriptionID, _ organization: OrganizationID) -> CipherContext {
        CipherContext(organization: organization, row: "zapier_webhooks/\(id.rawValue)", field: field.rawValue)
    }
}
