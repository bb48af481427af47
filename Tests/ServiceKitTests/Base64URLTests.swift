import Foundation
import Testing

@testable import ServiceKit

@Suite struct Base64URLTests {
    @Test func everyLengthIsWrittenAsFoundationDoesAndComesBack() {
        for length in 0..<200 {
            let bytes = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 151 &+ length &* 7) }
            let expected = Data(bytes).base64EncodedString()
                .replacingOccurrences(of: "+", with: "-").replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
            #expect(Base64URL.encode(bytes) == expected)
            #expect(Base64URL.decode(expected) == bytes)
        }
    }

    @Test(arguments: ["A", "AB=", "A+B/", "AB CD", "AB", "AAB", "AAAAA"])
    func whatIsNotBase64URLIsRefused(text: String) {
        #expect(Base64URL.decode(text) == nil)
    }
}
