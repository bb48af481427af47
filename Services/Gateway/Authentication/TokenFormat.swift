import Encryption
import Models

/// The form of every token and API key, those that are mailed among them: a prefix that says what it is, 32 random base62 characters (190 bits), and 6 base62 characters of
/// the CRC-32 of all before them. A mistyped or invented one is refused without a look-up, and scanners find leaked ones:
/// `\b(?:s(?:at|rt|vt|rs|it)_|swb_(?:live|test)_)[0-9A-Za-z]{38}\b`.
enum TokenFormat: String, CaseIterable, Sendable {
    case access = "sat_"
    case refresh = "srt_"
    case liveKey = "swb_live_"
    case testKey = "swb_test_"
    /// Mailed, for one use each; none of them lets anybody in by itself.
    case verification = "svt_"
    case reset = "srs_"
    case invitation = "sit_"

    static let bodyLength = 32
    static let checksumLength = 6
    /// Characters of the body that stay visible in an API key's `prefix`; 166 bits stay hidden.
    static let visibleBodyLength = 4

    var isKey: Bool { self == .liveKey || self == .testKey }
    /// May stand in a request's credentials.
    var authenticates: Bool { self == .access || self.isKey }

    func make() throws -> Secret {
        let text = try self.rawValue + RandomToken.base62(Self.bodyLength)
        return Secret(text + Self.checksum(of: text))
    }

    /// What the text is, judged by prefix, length and checksum alone; nil where it is none of ours.
    static func kind(of text: String) -> TokenFormat? {
        var text = text
        return text.withUTF8 { text in
            let length = text.count - self.bodyLength - self.checksumLength
            guard length > 0, let kind = Self.allCases.first(where: { $0.rawValue.utf8.elementsEqual(text.prefix(length)) }),
                text.dropFirst(length).allSatisfy(Base62.isDigit),
                self.checksum(of: text.dropLast(self.checksumLength)).elementsEqual(text.suffix(self.checksumLength))
            else { return nil }
            return kind
        }
    }

    /// What people may see of a key.
    static func visiblePrefix(of key: Secret, _ kind: TokenFormat) -> String {
        String(key.reveal().prefix(kind.rawValue.count + self.visibleBodyLength))
    }

    static func checksum(of text: String) -> String { String(decoding: self.checksum(of: text.utf8), as: UTF8.self) }

    private static func checksum(of bytes: some Sequence<UInt8>) -> [UInt8] {
        Base62.encode(CRC32.checksum(bytes), width: self.checksumLength)
    }
}

/// What is stored and looked up in place of a token: its SHA-256.
struct TokenDigest: Hashable, Sendable {
    let bytes: [UInt8]

    init(_ token: String) throws {
        self.bytes = try SHA256.digest(Array(token.utf8))
    }
}

enum Base62 {
    static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    static func isDigit(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
        default: false
        }
    }

    /// The number, most significant digit first, filled with zeros to `width`.
    static func encode(_ number: UInt32, width: Int) -> [UInt8] {
        var rest = Int(number)
        var digits: [UInt8] = []
        while rest > 0 || digits.count < width {
            digits.append(self.alphabet[rest % 62])
            rest /= 62
        }
        digits.reverse()
        return digits
    }
}

/// CRC-32 as in ISO-HDLC (zlib, Ethernet): reflected polynomial 0xEDB88320.
enum CRC32 {
    private static let table: [UInt32] = (0..<256).map { byte in
        (0..<8).reduce(UInt32(byte)) { value, _ in value & 1 == 1 ? (value >> 1) ^ 0xEDB8_8320 : value >> 1 }
    }

    static func checksum(_ bytes: some Sequence<UInt8>) -> UInt32 {
        let table = self.table
        return ~bytes.reduce(~UInt32(0)) { value, byte in (value >> 8) ^ table[Int((value ^ UInt32(byte)) & 0xFF)] }
    }
}
