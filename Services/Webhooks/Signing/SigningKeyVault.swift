import Encryption
import Models

/// Seals and opens private keys; each opens only in its own row.
struct SigningKeyVault: Sendable {
    let cipher: Cipher

    func seal(_ key: Ed25519.PrivateKey, as id: SigningKeyID, in organization: OrganizationID) throws -> [UInt8] {
        try self.cipher.seal(try key.seed, for: Self.context(id, organization))
    }

    func open(_ envelope: [UInt8], of id: SigningKeyID, in organization: OrganizationID) throws -> SigningKey {
        let seed = try self.cipher.open(envelope, for: Self.context(id, organization))
        return SigningKey(id: id, key: try Ed25519.PrivateKey(seed: seed))
    }

    private static func context(_ id: SigningKeyID, _ organization: OrganizationID) -> CipherContext {
        CipherContext(organization: organization, row: "signing_keys/\(id.rawValue)", field: "private_key")
    }
}
