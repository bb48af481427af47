import COpenSSL

/// HMAC (RFC 2104). For many messages under one key keep an ``HMACKey``.
package enum HMAC {
    package enum Algorithm: Sendable {
        case sha1, sha256, sha512

        fileprivate var name: StaticString {
            switch self {
            case .sha1: "SHA1"
            case .sha256: "SHA2-256"
            case .sha512: "SHA2-512"
            }
        }

        /// Bytes of a full tag.
        package var length: Int {
            switch self {
            case .sha1: 20
            case .sha256: 32
            case .sha512: 64
            }
        }
    }

    package static func authenticate(_ algorithm: Algorithm, key: [UInt8], _ message: [UInt8]) throws -> [UInt8] {
        try key.withUnsafeBytes { try KeyedMAC(algorithm, key: $0) }.authenticate(message)
    }

    /// True only for the full tag; a shortened one is refused.
    package static func isValid(_ mac: [UInt8], _ algorithm: Algorithm, key: [UInt8], _ message: [UInt8]) throws -> Bool {
        ConstantTime.equal(try self.authenticate(algorithm, key: key, message), mac)
    }
}

/// A kept, keyed HMAC for hot paths; any number of threads may use it at once.
package final class HMACKey: Sendable {
    private let contexts: ContextPool<KeyedMAC>

    package init(_ algorithm: HMAC.Algorithm, key: [UInt8]) throws {
        let key = SecretBytes(copying: key)
        let make: @Sendable () throws -> KeyedMAC = { try key.withBytes { try KeyedMAC(algorithm, key: $0) } }
        self.contexts = ContextPool(make: make)
        // The first context is made now, so that a bad key is refused here and not at its first use.
        try self.contexts.use { _ in }
    }

    package func authenticate(_ message: [UInt8]) throws -> [UInt8] {
        try self.contexts.use { try $0.authenticate(message) }
    }

    /// True only for the full tag; a shortened one is refused.
    package func isValid(_ mac: [UInt8], for message: [UInt8]) throws -> Bool {
        ConstantTime.equal(try self.authenticate(message), mac)
    }
}

/// OpenSSL's HMAC context with its key set: each message starts it anew without keying it again.
/// `@unchecked Sendable`: one user at a time; ``ContextPool`` sees to it.
private final class KeyedMAC: @unchecked Sendable {
    private let context: OpaquePointer
    private let length: Int

    init(_ algorithm: HMAC.Algorithm, key: UnsafeRawBufferPointer) throws {
        self.length = algorithm.length
        self.context = try require(EVP_MAC_CTX_new(try Algorithms.hmacMAC()), "EVP_MAC_CTX_new")
        let digest = UnsafeMutablePointer(mutating: parameterName(algorithm.name))
        let parameters = [OSSL_PARAM_construct_utf8_string(parameterName("digest"), digest, 0), OSSL_PARAM_construct_end()]
        // HMAC pads keys with zeros: one zero byte is the same key as none, and has an address.
        let result =
            key.isEmpty
            ? EVP_MAC_init(self.context, [0], 1, parameters)
            : EVP_MAC_init(self.context, key.bindMemory(to: UInt8.self).baseAddress, key.count, parameters)
        try check(result, "EVP_MAC_init")
    }

    deinit { EVP_MAC_CTX_free(self.context) }

    func authenticate(_ message: [UInt8]) throws -> [UInt8] {
        try check(EVP_MAC_init(self.context, nil, 0, nil), "EVP_MAC_init")
        try check(EVP_MAC_update(self.context, message, message.count), "EVP_MAC_update")
        return try [UInt8](unsafeUninitializedCapacity: self.length) { output, count in
            try check(EVP_MAC_final(self.context, output.baseAddress, &count, self.length), "EVP_MAC_final")
        }
    }
}
