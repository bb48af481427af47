import COpenSSL

/// ECDSA over P-256 with SHA-256 (FIPS 186-5).
package enum ECDSAP256 {
    /// DER signature over SHA-256; public key as SubjectPublicKeyInfo DER.
    /// - Throws: ``EncryptionError`` of kind `malformed` for anything but a P-256 key with an uncompressed point on the curve; a malformed
    ///   signature is merely not valid.
    package static func isValid(_ signature: [UInt8], for message: [UInt8], publicKey: [UInt8]) throws -> Bool {
        try self.verificationKey(publicKey).isValid(signature, for: message, digest: "SHA2-256")
    }

    /// The same for signatures in IEEE P1363 form: r and s as 32 bytes each, as JWS and WebCrypto write them.
    package static func isValid(p1363 signature: [UInt8], for message: [UInt8], publicKey: [UInt8]) throws -> Bool {
        guard signature.count == 64 else { return false }
        let integers = self.derInteger(signature.prefix(32)) + self.derInteger(signature.suffix(32))
        return try self.isValid([0x30, UInt8(integers.count)] + integers, for: message, publicKey: publicKey)
    }

    /// A DER INTEGER: no needless leading zeros, and one where the number would read as negative.
    private static func derInteger(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        var digits = Array(bytes.drop { $0 == 0 })
        if digits.first.map({ $0 >= 0x80 }) ?? true { digits.insert(0, at: 0) }
        return [0x02, UInt8(digits.count)] + digits
    }

    /// Private key as PKCS#8 DER; the signature is DER.
    package static func sign(_ message: [UInt8], privateKey: [UInt8]) throws -> [UInt8] {
        try self.signingKey(privateKey).sign(message, digest: "SHA2-256")
    }

    /// A new key as PKCS#8 DER.
    package static func makePrivateKey() throws -> [UInt8] {
        let context = try require(EVP_PKEY_CTX_new_from_name(nil, "EC", nil), "EVP_PKEY_CTX_new_from_name")
        defer { EVP_PKEY_CTX_free(context) }
        try check(EVP_PKEY_keygen_init(context), "EVP_PKEY_keygen_init")
        try check(EVP_PKEY_CTX_set_group_name(context, "P-256"), "EVP_PKEY_CTX_set_group_name")
        var pointer: OpaquePointer?
        try check(EVP_PKEY_generate(context, &pointer), "EVP_PKEY_generate")
        let key = AsymmetricKey(try require(pointer, "EVP_PKEY_generate"))
        let info = try require(EVP_PKEY2PKCS8(key.pointer), "EVP_PKEY2PKCS8")
        defer { PKCS8_PRIV_KEY_INFO_free(info) }
        return try self.der("i2d_PKCS8_PRIV_KEY_INFO") { i2d_PKCS8_PRIV_KEY_INFO(info, $0) }
    }

    /// The public half, as SubjectPublicKeyInfo DER.
    package static func publicKey(of privateKey: [UInt8]) throws -> [UInt8] {
        let key = try self.signingKey(privateKey)
        return try self.der("i2d_PUBKEY") { i2d_PUBKEY(key.pointer, $0) }
    }

    // MARK: - Keys

    /// SubjectPublicKeyInfo of a named-curve P-256 key up to the point (RFC 5480): DER has no other spelling of it.
    private static let publicKeyPrefix: [UInt8] = [
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01, 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01,
        0x07, 0x03, 0x42, 0x00, 0x04,
    ]

    private static func verificationKey(_ bytes: [UInt8]) throws -> AsymmetricKey {
        let malformed = EncryptionError(kind: .malformed, detail: "not a P-256 public key (SubjectPublicKeyInfo, DER)")
        guard bytes.count == self.publicKeyPrefix.count + 64, bytes.starts(with: self.publicKeyPrefix) else { throw malformed }
        let pointer = bytes.withUnsafeBufferPointer { buffer in
            var next = buffer.baseAddress
            return d2i_PUBKEY(nil, &next, buffer.count)
        }
        // The decoder checks that the point is on the curve.
        guard let pointer else {
            ERR_clear_error()
            throw malformed
        }
        return AsymmetricKey(pointer)
    }

    private static func signingKey(_ bytes: [UInt8]) throws -> AsymmetricKey {
        let malformed = EncryptionError(kind: .malformed, detail: "not a P-256 private key (PKCS#8, DER)")
        let info = bytes.withUnsafeBufferPointer { buffer -> OpaquePointer? in
            var next = buffer.baseAddress
            guard let info = d2i_PKCS8_PRIV_KEY_INFO(nil, &next, buffer.count) else { return nil }
            guard let start = buffer.baseAddress, let end = next, end - start == buffer.count else {
                PKCS8_PRIV_KEY_INFO_free(info)
                return nil
            }
            return info
        }
        defer { PKCS8_PRIV_KEY_INFO_free(info) }
        guard let info, let pointer = EVP_PKCS82PKEY(info) else {
            ERR_clear_error()
            throw malformed
        }
        let key = AsymmetricKey(pointer)
        guard self.isP256(key) else {
            ERR_clear_error()
            throw malformed
        }
        return key
    }

    private static func isP256(_ key: AsymmetricKey) -> Bool {
        let capacity = 64
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { name in
            var length = 0
            guard EVP_PKEY_is_a(key.pointer, "EC") == 1,
                EVP_PKEY_get_group_name(key.pointer, name.baseAddress, capacity, &length) == 1, let start = name.baseAddress
            else { return false }
            return String(cString: start) == "prime256v1"
        }
    }

    /// OpenSSL's two steps of writing DER: ask for the length, then write and move the pointer on.
    private static func der(_ name: StaticString, _ write: (UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>?) -> Int32) throws -> [UInt8]
    {
        let length = Int(write(nil))
        guard length > 0 else { throw EncryptionError.openssl(name) }
        return try [UInt8](unsafeUninitializedCapacity: length) { output, count in
            var next = output.baseAddress
            guard Int(write(&next)) == length else { throw EncryptionError.openssl(name) }
            count = length
        }
    }
}
