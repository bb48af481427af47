import COpenSSL

/// AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags: the bare primitive below ``Cipher``.
/// A reusable OpenSSL context; every message brings its key and nonce.
/// `@unchecked Sendable`: a context has one user at a time; ``ContextPool`` sees to it.
final class AESGCM: @unchecked Sendable {
    static let keyLength = 32
    static let nonceLength = 12
    static let tagLength = 16
    /// OpenSSL counts in `Int32`. (GCM itself ends at 64 GiB.)
    static let longestMessage = 1 << 30

    private let context: OpaquePointer

    init() throws {
        let cipher = try Algorithms.aes256GCM()
        self.context = try require(EVP_CIPHER_CTX_new(), "EVP_CIPHER_CTX_new")
        try check(EVP_CipherInit_ex2(self.context, cipher, nil, nil, 1, nil), "EVP_CipherInit_ex2")
    }

    deinit { EVP_CIPHER_CTX_free(self.context) }

    /// One message's key (32 bytes), nonce (12 bytes) and associated data, which counts as the concatenation of its two parts.
    struct Parameters {
        var key: UnsafePointer<UInt8>
        var nonce: UnsafePointer<UInt8>
        var associated: ([UInt8], [UInt8])
    }

    /// Writes ciphertext and tag: `plaintext.count + 16` bytes at `output`.
    func seal(_ plaintext: UnsafeBufferPointer<UInt8>, _ parameters: Parameters, into output: UnsafeMutablePointer<UInt8>) throws {
        try self.start(parameters, encrypting: true, count: plaintext.count)
        var length: Int32 = 0
        if !plaintext.isEmpty {
            try check(
                EVP_EncryptUpdate(self.context, output, &length, plaintext.baseAddress, Int32(plaintext.count)),
                "EVP_EncryptUpdate"
            )
        }
        let tag = output + plaintext.count
        try check(EVP_EncryptFinal_ex(self.context, tag, &length), "EVP_EncryptFinal_ex")
        try check(
            EVP_CIPHER_CTX_ctrl(self.context, EVP_CTRL_AEAD_GET_TAG, Int32(Self.tagLength), tag),
            "EVP_CIPHER_CTX_ctrl"
        )
    }

    /// Writes the plaintext, `ciphertext.count` bytes at `output`; when it throws, `output` is wiped.
    /// - Throws: ``EncryptionError`` of kind `authentication` where tag, ciphertext or associated data differ from what was sealed.
    func open(
        _ ciphertext: UnsafeBufferPointer<UInt8>,
        tag: UnsafePointer<UInt8>,
        _ parameters: Parameters,
        into output: UnsafeMutablePointer<UInt8>
    ) throws {
        try self.start(parameters, encrypting: false, count: ciphertext.count)
        var length: Int32 = 0
        if !ciphertext.isEmpty {
            try check(
                EVP_DecryptUpdate(self.context, output, &length, ciphertext.baseAddress, Int32(ciphertext.count)),
                "EVP_DecryptUpdate"
            )
        }
        try check(
            // OpenSSL reads the tag; its parameter is mutable because the same call also writes one.
            EVP_CIPHER_CTX_ctrl(self.context, EVP_CTRL_AEAD_SET_TAG, Int32(Self.tagLength), UnsafeMutablePointer(mutating: tag)),
            "EVP_CIPHER_CTX_ctrl"
        )
        var rest: UInt8 = 0
        guard EVP_DecryptFinal_ex(self.context, &rest, &length) == 1 else {
            ERR_clear_error()
            OPENSSL_cleanse(output, ciphertext.count)
            throw EncryptionError(kind: .authentication, detail: "the ciphertext was changed or belongs elsewhere")
        }
    }

    private func start(_ parameters: Parameters, encrypting: Bool, count: Int) throws {
        guard count <= Self.longestMessage else { throw EncryptionError(kind: .malformed, detail: "the message is too long") }
        try check(
            EVP_CipherInit_ex2(self.context, nil, parameters.key, parameters.nonce, encrypting ? 1 : 0, nil),
            "EVP_CipherInit_ex2"
        )
        try self.associate(parameters.associated.0)
        try self.associate(parameters.associated.1)
    }

    private func associate(_ bytes: [UInt8]) throws {
        guard !bytes.isEmpty else { return }
        var length: Int32 = 0
        try check(EVP_CipherUpdate(self.context, nil, &length, bytes, Int32(bytes.count)), "EVP_CipherUpdate")
    }
}

extension AESGCM {
    /// One message under a plain key and nonce: ciphertext and tag. ``Cipher`` is the way for data; this is what test vectors exercise.
    static func seal(_ plaintext: [UInt8], key: [UInt8], nonce: [UInt8], associated: [UInt8]) throws -> [UInt8] {
        try self.withParameters(key: key, nonce: nonce, associated: associated) { parameters in
            let context = try AESGCM()
            return try [UInt8](unsafeUninitializedCapacity: plaintext.count + self.tagLength) { output, count in
                guard let start = output.baseAddress else { return }
                try plaintext.withUnsafeBufferPointer { try context.seal($0, parameters, into: start) }
                count = plaintext.count + self.tagLength
            }
        }
    }

    /// The reverse of the static ``seal(_:key:nonce:associated:)``.
    static func open(_ sealed: [UInt8], key: [UInt8], nonce: [UInt8], associated: [UInt8]) throws -> [UInt8] {
        guard sealed.count >= self.tagLength else { throw EncryptionError(kind: .malformed, detail: "shorter than a tag") }
        return try self.withParameters(key: key, nonce: nonce, associated: associated) { parameters in
            let context = try AESGCM()
            return try sealed.withUnsafeBufferPointer { sealed in
                let ciphertext = UnsafeBufferPointer(rebasing: sealed.dropLast(self.tagLength))
                let tag = UnsafeBufferPointer(rebasing: sealed.suffix(self.tagLength))
                // One byte more, so that there is an address to write to when the message is empty.
                return try [UInt8](unsafeUninitializedCapacity: ciphertext.count + 1) { output, count in
                    guard let start = output.baseAddress, let tag = tag.baseAddress else { return }
                    try context.open(ciphertext, tag: tag, parameters, into: start)
                    count = ciphertext.count
                }
            }
        }
    }

    private static func withParameters(
        key: [UInt8],
        nonce: [UInt8],
        associated: [UInt8],
        _ body: (Parameters) throws -> [UInt8]
    ) throws -> [UInt8] {
        guard key.count == self.keyLength, nonce.count == self.nonceLength else {
            throw EncryptionError(kind: .malformed, detail: "AES-256-GCM takes a key of 32 bytes and a nonce of 12")
        }
        return try key.withUnsafeBufferPointer { key in
            try nonce.withUnsafeBufferPointer { nonce in
                guard let key = key.baseAddress, let nonce = nonce.baseAddress else { return [] }
                return try body(Parameters(key: key, nonce: nonce, associated: (associated, [])))
            }
        }
    }
}
