import COpenSSL

package enum RandomToken {
    /// From OpenSSL's generator for secrets.
    package static func bytes(_ count: Int) throws -> [UInt8] {
        try [UInt8](unsafeUninitializedCapacity: count) { output, initialized in
            try check(RAND_priv_bytes(output.baseAddress, Int32(count)), "RAND_priv_bytes")
            initialized = count
        }
    }

    private static let alphabet = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".utf8)

    /// Uniform over 0-9A-Za-z: 5.95 bits a character, so 22 hold 128 bits and 43 hold 256.
    package static func base62(_ length: Int) throws -> String {
        // 248 is the largest multiple of 62 in a byte: what is above would favour the first letters.
        let fair = UInt8(256 / self.alphabet.count * self.alphabet.count)
        var text: [UInt8] = []
        text.reserveCapacity(length)
        while text.count < length {
            var random = try self.bytes(length - text.count + 8)
            for byte in random where byte < fair && text.count < length { text.append(self.alphabet[Int(byte) % self.alphabet.count]) }
            random.wipe()
        }
        return String(decoding: text, as: UTF8.self)
    }
}
