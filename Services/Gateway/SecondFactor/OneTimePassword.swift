import Encryption
import Models

/// Time-based one-time passwords (RFC 6238) as authenticator apps make them: HMAC-SHA-1, six digits, steps of 30 seconds from 1970.
enum OneTimePassword {
    static let digits = 6
    static let stepSeconds: Int64 = 30
    /// Bytes of a fresh secret: the length of the HMAC's tag (RFC 4226 section 4, R6).
    static let secretLength = 20
    /// Steps before and after the present one that count too: clocks differ and people type slowly (RFC 6238 section 5.2).
    static let tolerance: Int64 = 1

    /// HOTP (RFC 4226 section 5.3) of the step's number.
    static func code(_ secret: [UInt8], step: Int64, digits: Int = Self.digits) throws -> String {
        let message = withUnsafeBytes(of: step.bigEndian) { Array($0) }
        let tag = try HMAC.authenticate(.sha1, key: secret, message)
        let offset = Int(tag[tag.count - 1] & 0x0F)
        let number = tag[offset..<offset + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        let modulus = (0..<digits).reduce(UInt32(1)) { product, _ in product * 10 }
        let text = String(number % modulus)
        return String(repeating: "0", count: digits - text.count) + text
    }

    /// The step that the code belongs to; nil where it is wrong, or of a step that is not newer than the one used last.
    static func step(of code: String, _ secret: [UInt8], now: Int64, after lastUsed: Int64) throws -> Int64? {
        var match: Int64?
        for step in (now - self.tolerance)...(now + self.tolerance) {
            let isEqual = ConstantTime.equal(Array(try self.code(secret, step: step).utf8), Array(code.utf8))
            if isEqual, step > lastUsed { match = match ?? step }
        }
        return match
    }

    /// The URI that authenticator apps read from a QR code (Google Authenticator's "Key URI Format").
    static func uri(_ secret: [UInt8], account: String) -> String {
        let label = PercentText.encode("Switchboard:\(account)")
        return "otpauth://totp/\(label)?secret=\(Base32.encode(secret))&issuer=Switchboard&algorithm=SHA1&digits=6&period=30"
    }
}

/// RFC 4648 section 6, without padding: what authenticator apps take.
enum Base32 {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".utf8)

    static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        var (buffer, bits) = (0, 0)
        for byte in bytes {
            buffer = buffer << 8 | Int(byte)
            bits += 8
            while bits >= 5 {
                bits -= 5
                text.append(self.alphabet[buffer >> bits & 31])
            }
            buffer &= (1 << bits) - 1
        }
        if bits > 0 { text.append(self.alphabet[buffer << (5 - bits) & 31]) }
        return String(decoding: text, as: UTF8.self)
    }
}

/// Percent-encoding of everything but RFC 3986's unreserved characters.
enum PercentText {
    static func encode(_ text: String) -> String {
        text.utf8.map { byte in
            let isUnreserved = Base62.alphabet.contains(byte) || "-._~".utf8.contains(byte)
            return isUnreserved ? String(UnicodeScalar(byte)) : "%" + Hex.encode([byte]).uppercased()
        }.joined()
    }
}

/// For the day when the authenticator is lost: four groups of four characters of base32, 80 random bits, so that a plain digest may be stored.
struct RecoveryCode: Sendable {
    static let count = 10

    let text: Secret
    let digest: [UInt8]

    init() throws {
        let letters = Array(Base32.encode(try RandomToken.bytes(10)))
        let groups = stride(from: 0, to: letters.count, by: 4).map { String(letters[$0..<$0 + 4]) }
        self.text = Secret(groups.joined(separator: "-"))
        self.digest = try Self.digest(self.text)
    }

    /// Of what somebody typed: hyphens, spaces and case do not count.
    static func digest(_ typed: Secret) throws -> [UInt8] {
        let letters = typed.reveal().uppercased().utf8.filter { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: " ") }
        return try SHA256.digest(Array(letters))
    }
}
