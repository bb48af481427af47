import COpenSSL

/// XAES-256-GCM (https://c2sp.org/XAES-256-GCM): AES-256-GCM with 192-bit nonces, built of AES-256 and AES-256-GCM alone.
///
/// Plain AES-GCM with random 96-bit nonces may seal at most 2^32 messages under one key (NIST SP 800-38D, section 8.3), which a busy
/// deployment reaches. Here the first 96 bits of the nonce choose a fresh AES-256 key by NIST SP 800-108r1's counter mode with CMAC, and the
/// other 96 are GCM's nonce: 2^80 messages under one key keep the chance of a repeated pair below 2^-32. No counter, no table of
/// per-tenant keys, nothing to rotate by volume.
///
/// `@unchecked Sendable`: one user at a time; ``ContextPool`` sees to it.
final class ExtendedGCM: @unchecked Sendable {
    static let nonceLength = 24
    static let tagLength = AESGCM.tagLength

    private let block: OpaquePointer
    /// CMAC's first subkey (NIST SP 800-38B, section 6.1): the messages of the key derivation are whole blocks.
    private let whitener: SecretBytes
    private let gcm: AESGCM
    private var nonces = NonceBuffer()

    /// - key: 32 bytes.
    init(key: SecretBytes) throws {
        let block = try require(EVP_CIPHER_CTX_new(), "EVP_CIPHER_CTX_new")
        do {
            self.whitener = try Self.prepare(block, key: key)
            self.gcm = try AESGCM()
        } catch {
            EVP_CIPHER_CTX_free(block)
            throw error
        }
        self.block = block
    }

    deinit { EVP_CIPHER_CTX_free(self.block) }

    /// Keys the block cipher and answers E(0) doubled in GF(2^128).
    private static func prepare(_ block: OpaquePointer, key: SecretBytes) throws -> SecretBytes {
        let cipher = try Algorithms.aes256ECB()
        try key.withBytes { key in
            guard key.count == AESGCM.keyLength else { throw EncryptionError(kind: .malformed, detail: "a key of 32 bytes is wanted") }
            try check(EVP_EncryptInit_ex2(block, cipher, key.bindMemory(to: UInt8.self).baseAddress, nil, nil), "EVP_EncryptInit_ex2")
        }
        EVP_CIPHER_CTX_set_padding(block, 0)
        var bytes = [UInt8](repeating: 0, count: 16)
        var length: Int32 = 0
        try bytes.withUnsafeMutableBufferPointer {
            try check(EVP_EncryptUpdate(block, $0.baseAddress, &length, $0.baseAddress, 16), "EVP_EncryptUpdate")
        }
        var carry: UInt8 = 0
        for index in bytes.indices.reversed() {
            (bytes[index], carry) = (bytes[index] << 1 | carry, bytes[index] >> 7)
        }
        // The polynomial x^128 + x^7 + x^2 + x + 1.
        bytes[15] ^= carry * 0x87
        return SecretBytes(taking: &bytes)
    }

    /// Writes a fresh nonce of 24 bytes.
    func writeNonce(to output: UnsafeMutablePointer<UInt8>) throws { try self.nonces.next(Self.nonceLength, into: output) }

    /// Writes ciphertext and tag at `output`. The nonce has 24 bytes.
    func seal(
        _ plaintext: UnsafeBufferPointer<UInt8>,
        nonce: UnsafePointer<UInt8>,
        associated: ([UInt8], [UInt8]),
        into output: UnsafeMutablePointer<UInt8>
    ) throws {
        try self.withMessageKey(nonce: nonce) { key in
            try self.gcm.seal(plaintext, AESGCM.Parameters(key: key, nonce: nonce + 12, associated: associated), into: output)
        }
    }

    /// Writes the plaintext at `output`; `ciphertext` is followed by its tag.
    func open(
        _ ciphertext: UnsafeBufferPointer<UInt8>,
        nonce: UnsafePointer<UInt8>,
        tag: UnsafePointer<UInt8>,
        associated: ([UInt8], [UInt8]),
        into output: UnsafeMutablePointer<UInt8>
    ) throws {
        try self.withMessageKey(nonce: nonce) { key in
            try self.gcm.open(
                ciphertext,
                tag: tag,
                AESGCM.Parameters(key: key, nonce: nonce + 12, associated: associated),
                into: output
            )
        }
    }

    /// CMAC of the two blocks `0 counter "X" 0 nonce[0..<12]`, as one encryption of 32 bytes.
    private func withMessageKey(nonce: UnsafePointer<UInt8>, _ body: (UnsafePointer<UInt8>) throws -> Void) throws {
        try withUnsafeTemporaryAllocation(byteCount: 32, alignment: 16) { key in
            defer { OPENSSL_cleanse(key.baseAddress, key.count) }
            self.whitener.withBytes { whitener in
                for counter in 0..<2 {
                    let start = counter * 16
                    for index in 0..<16 { key[start + index] = whitener[index] }
                    key[start + 1] ^= UInt8(counter + 1)
                    key[start + 2] ^= UInt8(ascii: "X")
                    for index in 0..<12 { key[start + 4 + index] ^= nonce[index] }
                }
            }
            let pointer = key.bindMemory(to: UInt8.self).baseAddress
            var length: Int32 = 0
            try check(EVP_EncryptUpdate(self.block, pointer, &length, pointer, 32), "EVP_EncryptUpdate")
            guard let pointer, length == 32 else { throw EncryptionError(kind: .openssl, detail: "EVP_EncryptUpdate wrote too little") }
            try body(pointer)
        }
    }
}

/// Random bytes for nonces, drawn 4 KiB at a time: asking OpenSSL's generator for 24 bytes costs more than sealing a short message.
struct NonceBuffer {
    private static let size = 4096

    private var bytes = [UInt8](repeating: 0, count: Self.size)
    private var position = Self.size

    /// Every byte is handed out once.
    mutating func next(_ count: Int, into output: UnsafeMutablePointer<UInt8>) throws {
        if self.position + count > Self.size {
            try self.bytes.withUnsafeMutableBufferPointer { try check(RAND_bytes($0.baseAddress, Int32(Self.size)), "RAND_bytes") }
            self.position = 0
        }
        self.bytes.withUnsafeBufferPointer { bytes in
            for index in 0..<count { output[index] = bytes[self.position + index] }
        }
        self.position += count
    }
}
