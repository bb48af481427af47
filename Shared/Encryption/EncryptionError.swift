import COpenSSL

/// Why a cryptographic step failed. Never carries key or data.
package struct EncryptionError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        /// A key that may not guard anything: missing, short, well-known, given twice.
        case weakKey
        /// Input that is not of the asked form: envelope, key, hash, length.
        case malformed
        /// The envelope was sealed under a key that the ring does not hold.
        case unknownKey
        /// The ciphertext was changed, or belongs elsewhere.
        case authentication
        /// OpenSSL refused; ``detail`` names the call and OpenSSL's reason.
        case openssl
    }

    package var kind: Kind
    package var detail: String

    package var description: String { "\(self.kind.rawValue): \(self.detail)" }

    /// The failure of an OpenSSL call, with the newest reason of this thread's error queue, which is emptied.
    /// Reasons are OpenSSL's own constant words; no input is in them.
    static func openssl(_ call: StaticString) -> Self {
        let code = ERR_peek_last_error()
        ERR_clear_error()
        guard code != 0 else { return Self(kind: .openssl, detail: "\(call) failed without a reason") }
        let reason = ERR_reason_error_string(code).map { String(cString: $0) } ?? "no text"
        return Self(kind: .openssl, detail: "\(call) failed: reason \(ERR_GET_REASON(code)), \(reason)")
    }
}
