import Testing

@testable import Encryption

@Suite struct TokenTests {
    @Test func base62HasTheAskedLengthAndAlphabet() throws {
        for length in [0, 1, 22, 43, 1000] {
            let token = try RandomToken.base62(length)
            #expect(token.count == length)
            #expect(token.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) })
        }
    }

    /// 62,000 draws of 62 letters: 1,000 each, standard deviation 32; eight of them is beyond chance.
    @Test func base62IsUniform() throws {
        var counts: [Character: Int] = [:]
        for letter in try RandomToken.base62(62_000) { counts[letter, default: 0] += 1 }
        #expect(counts.count == 62)
        for (letter, count) in counts { #expect((750...1250).contains(count), "\(letter): \(count)") }
    }

    @Test func tokensDoNotRepeat() throws {
        let tokens = try Set((0..<1000).map { _ in try RandomToken.base62(22) })
        #expect(tokens.count == 1000)
        #expect(try RandomToken.bytes(0) == [])
        #expect(try RandomToken.bytes(32) != RandomToken.bytes(32))
    }

    @Test func hexReadsWhatItWrites() {
        let all = [UInt8](0...255)
        #expect(Hex.decode(Hex.encode(all)) == all)
        #expect(Hex.encode([0x00, 0xAB, 0xFF]) == "00abff")
        #expect(Hex.decode("00ABff") == [0x00, 0xAB, 0xFF])
        #expect(Hex.decode("") == [])
        for malformed in ["0", "0g", "zz", "00 ", "é0", "+1"] { #expect(Hex.decode(malformed) == nil) }
    }
}
