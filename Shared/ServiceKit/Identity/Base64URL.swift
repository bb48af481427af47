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
        let encoded = [UInt8](unsafeUninitializedCapacity: (bytes.count * 4 + 2) / 3) { output, count in
            bytes.withUnsafeBufferPointer { bytes in
                self.alphabet.withUnsafeBufferPointer { alphabet in count = self.write(bytes, alphabet, to: output) }
            }
        }
        text += encoded
    }

    /// - Returns: how many characters were written.
    private static func write(
        _ bytes: UnsafeBufferPointer<UInt8>,
        _ alphabet: UnsafeBufferPointer<UInt8>,
        to output: UnsafeMutableBufferPointer<UInt8>
    ) -> Int {
        var count = 0
        func write(_ bits: UInt32, characters: Int) {
            for place in 0..<characters { output[count + place] = alphabet[Int(bits >> UInt32(18 - 6 * place) & 63)] }
            count += characters
        }
        var start = 0
        while start + 3 <= bytes.count {
            write(UInt32(bytes[start]) << 16 | UInt32(bytes[start + 1]) << 8 | UInt32(bytes[start + 2]), characters: 4)
            start += 3
        }
        switch bytes.count - start {
        case 1: write(UInt32(bytes[start]) << 16, characters: 2)
        case 2: write(UInt32(bytes[start]) << 16 | UInt32(bytes[start + 1]) << 8, characters: 3)
        default: break
        }
        return count
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
