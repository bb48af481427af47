import Models
import Testing

@Suite struct DecimalTextTests {
    @Test(arguments: [0, 1, 9, 10, 99, 100, -1, -10, 1_790_000_000, Int64.max, Int64.min, Int64.min + 1])
    func aNumberIsWrittenAsItsDescriptionIs(number: Int64) {
        var text = Array("n=".utf8)
        text.append(decimal: number)
        #expect(String(decoding: text, as: UTF8.self) == "n=\(number)")
    }
}
