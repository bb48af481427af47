/// RFC 4648 section 5, without padding. Written by hand: each internal request is signed and checked with it.
package enum Base64URL {
    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// The value of each byte of the alphabet, 255 for all others.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, byte) in alphabet.enumerated() { values[Int(byte)] = UInt8(value) }
        return values
    }()

    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        self.append(bytes, to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    static func append(_ bytes: [UInt8], to text: inout [UInt8]) {
        let alphabet = self.alphabet
        let encoded = [UInt8](unsafeUninitializedCapacity: (bytes.count * 4 + 2) / 3) { output, count in
            var (bits, held) = (UInt32(0), UInt32(0))
            for byte in bytes {
                bits = bits << 8 | UInt32(byte)
                held += 8
                while held >= 6 {
                    held -= 6
                    output[count] = alphabet[Int(bits >> held & 63)]
                    count += 1
                }
            }
            guard held > 0 else { return }
            output[count] = alphabet[Int(bits << (6 - held) & 63)]
            count += 1
        }
        text += encoded
    }

    /// nil where the text is not base64url, bits behind its last byte included: each value has one spelling.
    package static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.utf8.count * 3 / 4)
        var (bits, held) = (UInt32(0), 0)
        for character in text.utf8 {
            let value = self.values[Int(character)]
            guard value != 255 else { return nil }
            bits = bits << 6 | UInt32(value)
            held += 6
            if held >= 8 {
                held -= 8
                bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(held)))
            }
        }
        guard held < 6, bits & (1 << UInt32(held) - 1) == 0 else { return nil }
        return bytes
    }
}
