import Testing

@testable import Webhooks

@Suite struct CleanTextTests {
    @Test func controlCharactersBecomeSpaces() {
        #expect(CleanText.block(Array("a\u{0}b\u{1B}[31m\nc\r\n".utf8), limit: 100) == "a b [31m\nc \n")
        #expect(CleanText.line("a\nb\u{0}", limit: 100) == "a b ")
    }

    @Test func cutsAtWholeCharacters() {
        #expect(CleanText.block(Array("ääää".utf8), limit: 5) == "ää")
        #expect(CleanText.block(Array(repeating: 0xFF, count: 10), limit: 7).utf8.count <= 7)
    }
}
