package import Models

// SKELETON: the agreed surface. The module's author replaces this file with real ones; signatures here hold.

/// Why a cryptographic step failed. Never carries key or data.
package struct EncryptionError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: String, Sendable { case weakKey, malformed, unknownKey, authentication, openssl }
    package var kind: Kind
    package var detail: String
    package var description: String { "\(kind.rawValue): \(detail)" }
}

/// The process's master keys: one seals, all open.
package struct KeyRing: Sendable {
    /// - current: `ENCRYPTION_KEY` (32 bytes in base64, or a passphrase of at least 32 characters, stretched by scrypt).
    /// - previous: `ENCRYPTION_KEYS_PREVIOUS`, comma-separated by the caller.
    /// - development: allows well-known placeholder keys.
    package init(current: Secret, previous: [Secret], development: Bool) throws { fatalError() }

    /// A subkey of the current master key for one purpose (HKDF-SHA256, 32 bytes).
    package func subkey(_ purpose: String) throws -> [UInt8] { fatalError() }
}

/// What a ciphertext belongs to; it opens nowhere else.
package struct CipherContext: Sendable {
    package init(organization: OrganizationID, row: String, field: String) { fatalError() }
}

/// AES-256-GCM under a key ring, for one purpose.
package struct Cipher: Sendable {
    package init(_ ring: KeyRing, purpose: String) throws { fatalError() }
    /// Envelope: version, key id, nonce, ciphertext, tag.
    package func seal(_ plaintext: [UInt8], for context: CipherContext) throws -> [UInt8] { fatalError() }
    package func open(_ envelope: [UInt8], for context: CipherContext) throws -> [UInt8] { fatalError() }
    /// True where the envelope was sealed under a previous key: seal it anew when convenient.
    package func isStale(_ envelope: [UInt8]) -> Bool { fatalError() }
}

package enum HMAC {
    package enum Algorithm: Sendable { case sha1, sha256, sha512 }
    package static func authenticate(_ algorithm: Algorithm, key: [UInt8], _ message: [UInt8]) throws -> [UInt8] { fatalError() }
    package static func isValid(_ mac: [UInt8], _ algorithm: Algorithm, key: [UInt8], _ message: [UInt8]) throws -> Bool { fatalError() }
}

/// A kept, keyed HMAC-SHA256 for hot paths.
package final class HMACKey: Sendable {
    package init(_ algorithm: HMAC.Algorithm, key: [UInt8]) throws { fatalError() }
    package func authenticate(_ message: [UInt8]) throws -> [UInt8] { fatalError() }
    package func isValid(_ mac: [UInt8], for message: [UInt8]) throws -> Bool { fatalError() }
}

package enum SHA256 {
    package static func digest(_ message: [UInt8]) throws -> [UInt8] { fatalError() }
}

package enum HKDF {
    /// RFC 5869 with SHA-256.
    package static func derive(key: [UInt8], salt: [UInt8], info: [UInt8], length: Int) throws -> [UInt8] { fatalError() }
}

package enum ConstantTime {
    package static func equal(_ left: [UInt8], _ right: [UInt8]) -> Bool { fatalError() }
}

package enum RandomToken {
    package static func bytes(_ count: Int) throws -> [UInt8] { fatalError() }
    /// Uniform over 0-9A-Za-z.
    package static func base62(_ length: Int) throws -> String { fatalError() }
}

/// scrypt, with its parameters in the hash. CPU-heavy (tens of ms): the functions run on a thread of their own, not on the cooperative pool.
package enum PasswordHash {
    package enum Check: Sendable { case wrong, right, rightButOutdated }
    package static func make(_ password: Secret) async throws -> String { fatalError() }
    package static func check(_ password: Secret, against hash: String) async throws -> Check { fatalError() }
    /// Takes as long as a real check: for unknown accounts.
    package static func checkNothing(_ password: Secret) async throws { fatalError() }
}

package enum Ed25519 {
    package struct PrivateKey: Sendable {
        package init() throws { fatalError() }
        package init(seed: [UInt8]) throws { fatalError() }
        package var seed: [UInt8] { get throws { fatalError() } }
        package var publicKey: [UInt8] { get throws { fatalError() } }
        package func sign(_ message: [UInt8]) throws -> [UInt8] { fatalError() }
    }
    package static func isValid(_ signature: [UInt8], for message: [UInt8], publicKey: [UInt8]) throws -> Bool { fatalError() }
}

package enum ECDSAP256 {
    /// DER signature over SHA-256; public key as SubjectPublicKeyInfo DER.
    package static func isValid(_ signature: [UInt8], for message: [UInt8], publicKey: [UInt8]) throws -> Bool { fatalError() }
    /// Private key as PKCS#8 DER.
    package static func sign(_ message: [UInt8], privateKey: [UInt8]) throws -> [UInt8] { fatalError() }
    package static func makePrivateKey() throws -> [UInt8] { fatalError() }
    package static func publicKey(of privateKey: [UInt8]) throws -> [UInt8] { fatalError() }
}

/// Lower-case hexadecimal.
package enum Hex {
    package static func encode(_ bytes: some Sequence<UInt8>) -> String { fatalError() }
    package static func decode(_ text: String) -> [UInt8]? { fatalError() }
}
