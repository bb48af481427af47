import COpenSSL

/// Algorithm objects, fetched once: a fetch by name in every call costs more than the hashing of a short message.
/// `nonisolated(unsafe)`: OpenSSL's fetched algorithms are immutable, counted with atomics and meant to be shared by threads.
enum Algorithms {
    private nonisolated(unsafe) static let gcm = EVP_CIPHER_fetch(nil, "AES-256-GCM", nil)
    private nonisolated(unsafe) static let ecb = EVP_CIPHER_fetch(nil, "AES-256-ECB", nil)
    private nonisolated(unsafe) static let sha256 = EVP_MD_fetch(nil, "SHA2-256", nil)
    private nonisolated(unsafe) static let hmac = EVP_MAC_fetch(nil, "HMAC", nil)
    private nonisolated(unsafe) static let hkdf = EVP_KDF_fetch(nil, "HKDF", nil)

    static func aes256GCM() throws -> OpaquePointer { try require(self.gcm, "EVP_CIPHER_fetch") }
    static func aes256ECB() throws -> OpaquePointer { try require(self.ecb, "EVP_CIPHER_fetch") }
    static func sha256Digest() throws -> OpaquePointer { try require(self.sha256, "EVP_MD_fetch") }
    static func hmacMAC() throws -> OpaquePointer { try require(self.hmac, "EVP_MAC_fetch") }
    static func hkdfKDF() throws -> OpaquePointer { try require(self.hkdf, "EVP_KDF_fetch") }
}

/// The pointer that an OpenSSL constructor gave, or its reason for giving none.
func require(_ pointer: OpaquePointer?, _ call: StaticString) throws -> OpaquePointer {
    guard let pointer else { throw EncryptionError.openssl(call) }
    return pointer
}

/// For OpenSSL calls that answer 1 for success.
func check(_ result: Int32, _ call: StaticString) throws {
    guard result == 1 else { throw EncryptionError.openssl(call) }
}

/// OpenSSL's parameter names must outlive the parameter: a Swift string's pointer would not.
func parameterName(_ name: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
}
