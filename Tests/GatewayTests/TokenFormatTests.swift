import Models
import Testing

@testable import Gateway

@Suite struct TokenFormatTests {
    @Test func checksumIsTheCommonCRC32() {
        // The check value of CRC-32/ISO-HDLC.
        #expect(CRC32.checksum("123456789".utf8) == 0xCBF4_3926)
        #expect(CRC32.checksum("".utf8) == 0)
    }

    @Test func checksumHasSixDigitsWhateverItsValue() {
        #expect(Base62.encode(0, width: 6) == Array("000000".utf8))
        #expect(Base62.encode(61, width: 6) == Array("00000z".utf8))
        #expect(Base62.encode(.max, width: 6) == Array("4gfFC3".utf8))
    }

    @Test(arguments: TokenFormat.allCases) func whatIsMadeIsKnownAgain(_ kind: TokenFormat) throws {
        let token = try kind.make().reveal()
        #expect(TokenFormat.kind(of: token) == kind)
        #expect(try /(?:s(?:at|rt|vt|rs|it)_|swb_(?:live|test)_)[0-9A-Za-z]{38}/.wholeMatch(in: token) != nil)
        #expect(try kind.make().reveal() != token)
    }

    @Test func everyMistypedCharacterIsNoticed() throws {
        let key = Array(try TokenFormat.liveKey.make().reveal())
        for index in key.indices {
            var mistyped = key
            mistyped[index] = key[index] == "a" ? "b" : "a"
            #expect(TokenFormat.kind(of: String(mistyped)) == nil, "position \(index)")
        }
    }

    @Test(arguments: [
        "", "swb_live_", "sat_0", "Bearer", "swb_prod_000000000000000000000000000000000000000", "sat_" + String(repeating: "é", count: 38),
    ])
    func otherTextIsNone(_ text: String) {
        #expect(TokenFormat.kind(of: text) == nil)
    }

    @Test func prefixHidesAtLeast160Bits() throws {
        let key = try TokenFormat.testKey.make()
        let prefix = TokenFormat.visiblePrefix(of: key, .testKey)
        #expect(prefix.count == "swb_test_".count + 4)
        #expect(key.reveal().hasPrefix(prefix))
        // log2(62) = 5.954
        #expect(Double(TokenFormat.bodyLength - TokenFormat.visibleBodyLength) * 5.954 > 160)
    }
}
