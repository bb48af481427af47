import Models
import Testing

@Suite struct JSONTextTests {
    static let valid: [(String, JSONValue)] = [
        ("null", nil), ("true", true), ("false", false), (" \t\r\n1 \n", 1),
        ("0", 0), ("-0", 0), ("-1", -1), ("9223372036854775807", .integer(.max)), ("-9223372036854775808", .integer(.min)),
        ("9223372036854775808", 9223372036854775808.0), ("1.5", 1.5), ("-0.25", -0.25), ("1e2", 100.0), ("1E+2", 100.0), ("25e-1", 2.5),
        ("0.0", 0.0), ("1e-400", 0.0),
        (#""""#, ""), (#""a""#, "a"), (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u0041\u00e9\u20AC""#, "Aé€"),
        (#""\ud83d\ude00""#, "😀"), (#""😀é""#, "😀é"), (#""\u0000""#, "\u{0}"), (#""\uDBFF\uDFFF""#, "\u{10FFFF}"), ("\"\u{7F}\"", "\u{7F}"),
        ("[]", []), ("[ ]", []), ("[1,[2,[]]]", [1, [2, []]]), ("{}", [:]), ("{ }", [:]),
        (#"{"a":1,"b":{"a":[null]}}"#, ["a": 1, "b": ["a": [nil]]]), (#"{"":0}"#, ["": 0]),
    ]

    @Test(arguments: Self.valid)
    func validTextIsRead(text: String, value: JSONValue) throws {
        #expect(try JSONValue(parsing: text.utf8) == value)
    }

    @Test(arguments: [
        "", " ", "nul", "nulll", "True", "tru", "NaN", "Infinity", "-Infinity", "undefined", "'a'",
        "-", "+1", "01", "-01", "00", "1.", ".5", "-.5", "1.e1", "1e", "1e+", "1e-", "0x1", "1 2", "1_000", "1e400", "-1e999", "１",
        "[", "]", "[1", "[1,", "[1,]", "[,1]", "[1 2]", "[1,,2]", "{", "}", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}",
        "{,}",
        "{a:1}", "{1:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{\"a\":1}}", "[1]]", "[}", "{]",
        "\"", "\"a", "\"\\\"", "\"\\x\"", "\"\\u12\"", "\"\\u12G4\"", "\"\\u+123\"", "\"\\U0041\"", "\"\n\"", "\"\t\"", "\"\u{0}\"",
        "\"\u{1F}\"",
        "\"\\ud800\"", "\"\\ud800x\"", "\"\\ud800\\n\"", "\"\\ud800\\u0041\"", "\"\\ud800\\ud800\"", "\"\\udc00\"", "\"\\ude00\\ud83d\"",
        "{\"a\":1,\"a\":2}", "{\"a\":1,\"\\u0061\":1}", "{\"x\":{\"a\":1,\"b\":2,\"a\":1}}",
        "// no\n1", "/**/1", "\u{FEFF}1", "1\u{0}", "\u{A0}1", "\u{2028}1",
    ])
    func invalidTextIsRefused(text: String) {
        #expect(throws: JSONText.Failure.self) { try JSONValue(parsing: text.utf8) }
    }

    /// A lone continuation, a cut sequence, an overlong slash, a surrogate, a scalar beyond Unicode, Latin-1.
    @Test(arguments: [[0x80], [0xE2, 0x82], [0xC0, 0xAF], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xE9], [0xFF]] as [[UInt8]])
    func invalidUTF8IsRefused(bytes: [UInt8]) {
        let quote = UInt8(ascii: "\"")
        #expect(throws: JSONText.Failure.self) { try JSONValue(parsing: [quote] + bytes + [quote]) }
        #expect(throws: JSONText.Failure.self) { try JSONValue(parsing: [quote] + Array("\\n".utf8) + bytes + [quote]) }
        #expect(throws: JSONText.Failure.self) { try JSONValue(parsing: bytes) }
        #expect(throws: JSONText.Failure.self) { try JSONValue(parsing: Array("{\"".utf8) + bytes + Array("\":1}".utf8)) }
    }

    @Test func sixtyFourLevelsAreReadAndNoMore() throws {
        func nested(_ levels: Int, _ open: String, _ close: String, _ core: String) -> String {
            String(repeating: open, count: levels) + core + String(repeating: close, count: levels)
        }
        for core in ["", "1"] { _ = try JSONValue(parsing: nested(64, "[", "]", core).utf8) }
        _ = try JSONValue(parsing: nested(64, "{\"a\":", "}", "1").utf8)
        for text in [
            nested(65, "[", "]", ""), nested(65, "{\"a\":", "}", "1"), nested(100_000, "[", "]", ""),
            String(repeating: "[", count: 1_000_000),
        ] {
            let failure = #expect(throws: JSONText.Failure.self) { try JSONValue(parsing: text.utf8) }
            #expect(failure?.reason == "nested too deeply")
        }
    }

    @Test func failureSaysWhere() {
        let failure = #expect(throws: JSONText.Failure.self) { try JSONValue(parsing: #"{"a": tru}"#.utf8) }
        #expect(failure?.description == "not a JSON value at byte 6")
    }

    @Test func writingIsCompactSortedAndEscaped() {
        let value: JSONValue = ["b": [1, 2.5, true, nil], "a": "\"\\/\n\r\t\u{1}é😀", "": [:]]
        #expect(value.text == #"{"":{},"a":"\"\\/\n\r\t\u0001é😀","b":[1,2.5,true,null]}"#)
    }

    @Test func whatHasNoJSONFormIsWrittenAsNull() {
        #expect(JSONValue.array([.double(.nan), .double(.infinity), .double(-.infinity)]).text == "[null,null,null]")
    }

    @Test(arguments: [
        0.1, 1e21, 1e-7, Double.leastNonzeroMagnitude, 1.7976931348623157e308, -0.0, 123456789.123456789, 1e16, 9007199254740994,
    ])
    func doublesSurvive(number: Double) throws {
        let text = JSONValue.double(number).text
        guard case .double(let read) = try JSONValue(parsing: text.utf8) else { return #expect(Bool(false), "\(text) is no double") }
        #expect(read == number)
    }

    @Test func accessorsAnswerOnlyForTheirOwnKind() {
        let value: JSONValue = ["s": "x", "i": 1, "b": true, "a": [1], "d": 1.5]
        #expect(value["s"]?.stringValue == "x")
        #expect(value["i"]?.integerValue == 1)
        #expect(value["b"]?.boolValue == true)
        #expect(value["a"]?.arrayValue == [1])
        #expect(value.objectValue?.count == 5)
        #expect(value["missing"] == nil)
        #expect(value["d"]?.integerValue == nil)
        #expect(value["i"]?.stringValue == nil)
        #expect(JSONValue.null["s"] == nil)
    }
}
