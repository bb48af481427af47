import COpenSSL

/// HKDF with SHA-256 (RFC 5869).
package enum HKDF {
    /// RFC 5869 section 2.3: at most 255 blocks of output.
    package static let longestOutput = 255 * SHA256.length

    /// - Throws: ``EncryptionError`` of kind `malformed` for an empty key or a length outside 1...8160.
    package static func derive(key: [UInt8], salt: [UInt8], info: [UInt8], length: Int) throws -> [UInt8] {
        try key.withUnsafeBytes { try self.derive(key: $0, salt: salt, info: info, length: length) }
    }

    static func derive(key: UnsafeRawBufferPointer, salt: [UInt8], info: [UInt8], length: Int) throws -> [UInt8] {
        guard !key.isEmpty, (1...self.longestOutput).contains(length) else {
            throw EncryptionError(kind: .malformed, detail: "HKDF takes a key and gives 1 to \(self.longestOutput) bytes")
        }
        let context = try require(EVP_KDF_CTX_new(try Algorithms.hkdfKDF()), "EVP_KDF_CTX_new")
        defer { EVP_KDF_CTX_free(context) }
        return try salt.withUnsafeBytes { salt in
            try info.withUnsafeBytes { info in
                let parameters = [
                    OSSL_PARAM_construct_utf8_string(
                        parameterName("digest"),
                        UnsafeMutablePointer(mutating: parameterName("SHA2-256")),
                        0
                    ),
                    self.parameter("key", key),
                    self.parameter("salt", salt),
                    self.parameter("info", info),
                    OSSL_PARAM_construct_end(),
                ]
                return try [UInt8](unsafeUninitializedCapacity: length) { output, count in
                    try check(EVP_KDF_derive(context, output.baseAddress, length, parameters), "EVP_KDF_derive")
                    count = length
                }
            }
        }
    }

    /// OpenSSL only reads what a parameter of a setting points to.
    private static func parameter(_ name: StaticString, _ bytes: UnsafeRawBufferPointer) -> OSSL_PARAM {
        OSSL_PARAM_construct_octet_string(parameterName(name), UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }
}
