import COpenSSL

/// An OpenSSL key pair or public key.
/// `@unchecked Sendable`: never changed after `init`; OpenSSL lets threads share a key for signing and verifying.
final class AsymmetricKey: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes the pointer over.
    init(_ pointer: OpaquePointer) { self.pointer = pointer }

    deinit { EVP_PKEY_free(self.pointer) }

    /// - digest: nil for algorithms that hash by themselves.
    func sign(_ message: [UInt8], digest: String?) throws -> [UInt8] {
        let context = try require(EVP_MD_CTX_new(), "EVP_MD_CTX_new")
        defer { EVP_MD_CTX_free(context) }
        try check(EVP_DigestSignInit_ex(context, nil, digest, nil, nil, self.pointer, nil), "EVP_DigestSignInit_ex")
        var length = 0
        try check(EVP_DigestSign(context, nil, &length, message, message.count), "EVP_DigestSign")
        return try [UInt8](unsafeUninitializedCapacity: length) { output, count in
            count = length
            try check(EVP_DigestSign(context, output.baseAddress, &count, message, message.count), "EVP_DigestSign")
        }
    }

    /// False for a wrong signature as for one that cannot be read: a stranger sent it, it is no failure of ours.
    func isValid(_ signature: [UInt8], for message: [UInt8], digest: String?) throws -> Bool {
        let context = try require(EVP_MD_CTX_new(), "EVP_MD_CTX_new")
        defer { EVP_MD_CTX_free(context) }
        try check(EVP_DigestVerifyInit_ex(context, nil, digest, nil, nil, self.pointer, nil), "EVP_DigestVerifyInit_ex")
        guard EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1 else {
            ERR_clear_error()
            return false
        }
        return true
    }
}
