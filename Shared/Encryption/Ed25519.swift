import COpenSSL
import Foundation

/// Ed25519 (RFC 8032) with raw keys of 32 bytes and signatures of 64.
package enum Ed25519 {
    package static let keyLength = 32

    package struct PrivateKey: Sendable {
        private let key: AsymmetricKey

        /// A new key.
        package init() throws {
            var seed = try RandomToken.bytes(Ed25519.keyLength)
            defer { seed.wipe() }
            try self.init(seed: seed)
        }

        /// - seed: RFC 8032's 32-byte private key.
        package init(seed: [UInt8]) throws {
            guard seed.count == Ed25519.keyLength else { throw EncryptionError(kind: .malformed, detail: "an Ed25519 seed has 32 bytes") }
            let pointer = EVP_PKEY_new_raw_private_key_ex(nil, "ED25519", nil, seed, seed.count)
            self.key = AsymmetricKey(try require(pointer, "EVP_PKEY_new_raw_private_key_ex"))
        }

        package var seed: [UInt8] {
            get throws { try self.raw("EVP_PKEY_get_raw_private_key", EVP_PKEY_get_raw_private_key) }
        }

        package var publicKey: [UInt8] {
            get throws { try self.raw("EVP_PKEY_get_raw_public_key", EVP_PKEY_get_raw_public_key) }
        }

        private func raw(
            _ name: StaticString,
            _ read: (OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int>?) -> Int32
        ) throws -> [UInt8] {
            try [UInt8](unsafeUninitializedCapacity: Ed25519.keyLength) { output, count in
                count = Ed25519.keyLength
                try check(read(self.key.pointer, output.baseAddress, &count), name)
            }
        }

        package func sign(_ message: [UInt8]) throws -> [UInt8] { try self.key.sign(message, digest: nil) }
    }

    /// SubjectPublicKeyInfo up to the key (RFC 8410 section 4): DER has no other spelling of it.
    private static let publicKeyPrefix: [UInt8] = [0x30, 0x2A, 0x30, 0x05, 0x06, 0x03, 0x2B, 0x65, 0x70, 0x03, 0x21, 0x00]

    /// A public key as SubjectPublicKeyInfo in PEM (RFC 7468 section 13), the form that the openssl command reads.
    /// - Throws: ``EncryptionError`` of kind `malformed` where it is not 32 bytes.
    package static func pem(ofPublicKey publicKey: [UInt8]) throws -> String {
        try self.checkLength(ofPublicKey: publicKey)
        // 44 bytes are 60 characters: one line.
        return "-----BEGIN PUBLIC KEY-----\n\(Data(self.publicKeyPrefix + publicKey).base64EncodedString())\n-----END PUBLIC KEY-----\n"
    }

    /// - Throws: ``EncryptionError`` of kind `malformed` where the public key is not 32 bytes; a malformed signature is merely not valid.
    package static func isValid(_ signature: [UInt8], for message: [UInt8], publicKey: [UInt8]) throws -> Bool {
        try self.checkLength(ofPublicKey: publicKey)
        let pointer = EVP_PKEY_new_raw_public_key_ex(nil, "ED25519", nil, publicKey, publicKey.count)
        return try AsymmetricKey(try require(pointer, "EVP_PKEY_new_raw_public_key_ex")).isValid(signature, for: message, digest: nil)
    }

    private static func checkLength(ofPublicKey publicKey: [UInt8]) throws {
        guard publicKey.count == self.keyLength else {
            throw EncryptionError(kind: .malformed, detail: "an Ed25519 public key has 32 bytes")
        }
    }
}
