import Models
import Testing

@testable import Webhooks

@Suite struct PayloadTemplateFaultTests {
    private static let unclosed = #"a placeholder is not closed; write }} after the path, or \{{ for a literal {{"#
    private static let empty = #"a placeholder is empty; write a path into it, or \{{ for a literal {{"#
    private static let noObject = "/payload_template must be an object, or a string that holds the JSON of one"

    private static func faults(_ json: JSONValue, for types: [EventType] = [.contentPosted]) -> [String] {
        let result = PayloadTemplate.parse(json, for: types)
        #expect((result.template == nil) == !result.faults.isEmpty)
        return result.faults.map { "\($0.pointer) \($0.detail)" }
    }

    @Test(
        arguments: [
            (.array([]), noObject), (.null, noObject), (1, noObject), (true, noObject), ("[]", noObject), (#""{}""#, noObject),
            ("null", noObject),
            ("", "/payload_template is a string that holds no JSON: the text ends early at byte 0"),
            ("{{id}}", "/payload_template is a string that holds no JSON: a member name is missing at byte 1"),
            (#"{"a":1} x"#, "/payload_template is a string that holds no JSON: more text after the value at byte 8"),
            (#"{"a":1,"a":2}"#, "/payload_template is a string that holds no JSON: a member name is given twice at byte 12"),
            (["text": "{{data.platfrom}}"], "/payload_template/text there is no data.platfrom; did you mean data.platform?"),
            (["text": "at {{ platfrom }}!"], "/payload_template/text there is no data.platfrom; did you mean data.platform?"),
            (#"{"text":["{{platfrom}}"]}"#, "/payload_template/text/0 there is no data.platfrom; did you mean data.platform?"),
            (["a/b": ["~": "{{event.url}}"]], "/payload_template/a~1b/~0 there is no data.event.url; did you mean data.url?"),
            (["x": "{{"], "/payload_template/x \(unclosed)"), (["x": "{{id"], "/payload_template/x \(unclosed)"),
            (["x": "a {{id} b"], "/payload_template/x \(unclosed)"), (["x": "{{id}} {{"], "/payload_template/x \(unclosed)"),
            (["x": "{{}}"], "/payload_template/x \(empty)"), (["x": "a {{   }} b"], "/payload_template/x \(empty)"),
            (["x": "{{{id}}}"], "/payload_template/x a placeholder holds a brace: {id"),
            (["x": "{{ a {{id}}"], "/payload_template/x a placeholder holds a brace: a {{id"),
            (
                ["x": "{{#each}}"],
                "/payload_template/x there is no data.#each; known are \(EventOutline([.contentPosted]).paths.joined(separator: ", "))"
            ),
            (
                ["x": "{{data.}}"],
                "/payload_template/x a path is names with full stops between them, as in data.platform; none of them may be empty"
            ),
            (["x": .string("{{\(String(repeating: "a", count: 201))}}")], "/payload_template/x a path has at most 200 bytes"),
            (["x": .string("{{a.b.c.d.e.f.g.h.i.j.k}}")], "/payload_template/x a path has at most 10 names"),
            (["{{id}}": 1], "/payload_template/{{id}} keys are literal; {{ stands in values only"),
            (["a": [[#"x\{{"#: 1]]], #"/payload_template/a/0/x\{{ keys are literal; {{ stands in values only"#),
            (#"{"x":"\u0000"}"#, "/payload_template/x must not contain the character U+0000"),
            (["x": ["a\u{0}": 1]], "/payload_template/x/a\u{0} must not contain the character U+0000"),
        ] as [(JSONValue, String)]
    )
    func aFaultIsNamedByItsPlace(json: JSONValue, fault: String) {
        #expect(Self.faults(json) == [fault])
    }

    @Test func everyFaultIsNamed() {
        let json: JSONValue = [
            "a": "{{nope}} {{}} {{platfrom}} {{", "b": ["{{id}}", ["{{x}}": "{{y}}"]], "c": "{{url}}", "d": "{{data..}}",
        ]
        let pointers = PayloadTemplate.parse(json, for: [.contentPosted], at: "/t").faults.map(\.pointer)
        #expect(pointers == ["/t/a", "/t/a", "/t/a", "/t/a", "/t/b/1/{{x}}", "/t/b/1/{{x}}", "/t/d"])
    }

    @Test func aPathThatOneOfTheTypesHasIsTaken() {
        #expect(Self.faults(["x": "{{platform}} {{counts.total}}"], for: [.contentPosted, .campaignSent]) == [])
        #expect(Self.faults(["x": "{{platform}}"], for: [.campaignSent]).count == 1)
        #expect(Self.faults(["x": "{{platform}} {{what.ever}}"], for: []) == [])
    }

    // MARK: - Limits

    @Test func aTemplateIsTenDeepAtMost() {
        func nested(_ levels: Int) -> JSONValue {
            (1..<levels).reduce(["x": "{{id}}"]) { inner, level in level % 2 == 0 || level == levels - 1 ? ["a": inner] : [inner] }
        }
        #expect(Self.faults(nested(10)) == [])
        #expect(Self.faults(nested(11)).count == 1)
        #expect(Self.faults(nested(11)).first?.hasSuffix("is nested more than 10 deep") ?? false)
        #expect(Self.faults(nested(500)).count == 1)
        let deep = String(repeating: #"{"a":"#, count: 2000) + "1" + String(repeating: "}", count: 2000)
        #expect(Self.faults(.string(deep)) == ["/payload_template is a string that holds no JSON: nested too deeply at byte 320"])
    }

    @Test func aTemplateHasAHundredPlaceholdersAtMost() {
        func placeholders(_ count: Int) -> JSONValue { ["x": .string(String(repeating: "{{id}} ", count: count))] }
        #expect(Self.faults(placeholders(100)) == [])
        #expect(Self.faults(placeholders(101)) == ["/payload_template must have at most 100 placeholders"])
        // Those beyond are not judged one by one.
        #expect(Self.faults(["x": .array(Array(repeating: "{{nope}}", count: 1000))]).count == 101)
    }

    @Test func aTemplateHasSixteenKibibytesAtMost() {
        func template(_ bytes: Int) -> JSONValue { ["x": .string(String(repeating: "a", count: bytes - #"{"x":""}"#.utf8.count))] }
        let fault = ["/payload_template must have at most 16384 bytes of JSON"]
        #expect(Self.faults(template(16_384)) == [])
        #expect(Self.faults(template(16_385)) == fault)
        #expect(Self.faults(.string(template(16_384).text)) == [])
        #expect(Self.faults(.string(template(16_384).text + " ")) == fault)
        #expect(Self.faults(.array(Array(repeating: "{{nope}}", count: 100_000))) == [Self.noObject])
        #expect(Self.faults(["x": .array(Array(repeating: "{{nope}}", count: 100_000))]) == fault)
    }

    @Test func outputIsAQuarterOfAMebibyteAtMost() throws {
        let template = try PayloadTemplateTests.template(["x": "{{a}}"])
        func output(_ bytes: Int) throws -> Int {
            let text = String(repeating: "a", count: bytes - #"{"x":""}"#.utf8.count)
            return try template.render(EventView(id: "", type: "", timestamp: "", data: ["a": .string(text)])).count
        }
        #expect(try output(262_144) == 262_144)
        #expect(throws: PayloadTemplateError.tooLarge) { try output(262_145) }
    }

    @Test func aLargeValueQuotedOftenIsRefusedEarly() throws {
        let template = try PayloadTemplateTests.template(["x": .string(String(repeating: "{{a}}", count: 100))])
        let event = EventView(id: "", type: "", timestamp: "", data: ["a": .array(Array(repeating: "\"\u{1}", count: 50_000))])
        #expect(throws: PayloadTemplateError.tooLarge) { try template.render(event) }
    }

    // MARK: - Hostile values

    @Test(
        arguments: [
            "\"", "\\", "\\\"", "\",\"admin\":true,\"x\":\"", "\u{0}\u{1}\u{1F}\u{7F}", "\u{2028}\u{2029}", "\r\n\t\u{8}\u{C}", "</script>",
            "}}", "{{id}}", "\\{{", "\\u0041", "\u{FEFF}", "e\u{301}", "\u{301}", "👩‍👩‍👧‍👦", "\u{10FFFF}", "", " ",
        ]
    )
    func noValueBreaksOutOfItsString(text: String) throws {
        let event = EventView(
            id: text,
            type: text,
            timestamp: text,
            data: ["s": .string(text), "o": .object([text: .string(text)]), "l": [.string(text)]]
        )
        let json: JSONValue = ["whole": "{{s}}", "within": "<{{s}}|{{o}}|{{l}}>", "o": "{{o}}", "id": "{{id}}{{type}}{{timestamp}}"]
        let output = try PayloadTemplateTests.rendered(json, event)
        #expect(output["whole"]?.stringValue.map { Array($0.utf8) } == Array(text.utf8))
        #expect(output["o"] == .object([text: .string(text)]))
        let object = JSONValue.object([text: .string(text)]).text
        let list = JSONValue.array([.string(text)]).text
        #expect(output["within"] == .string("<\(text)|\(object)|\(list)>"))
        #expect(output["id"] == .string(text + text + text))
        #expect(output.objectValue?.count == 4)
    }

    /// Values of every kind in templates of every shape. The seeds are fixed: a failure comes back.
    @Test(arguments: 1...20)
    func outputIsAlwaysJSONAndHoldsTheValues(seed: UInt64) throws {
        var maker = ValueMaker(seed: seed)
        for round in 0..<50 {
            let values = (0..<4).map { _ in maker.value(depth: 0) }
            let members = Dictionary(uniqueKeysWithValues: values.enumerated().map { ("v\($0)", $1) })
            let event = EventView(id: maker.text(), type: maker.text(), timestamp: maker.text(), data: .object(members))
            let before = maker.text()
            let json: JSONValue = [
                "whole": .array(values.indices.map { .string("{{ v\($0) }}") }),
                "within": .array(values.indices.map { .string("\(before) {{v\($0)}}\($0)") }), "id": "{{id}}",
            ]
            let output = try PayloadTemplateTests.rendered(json, event)
            #expect(output["whole"]?.arrayValue == values, "seed \(seed), round \(round)")
            #expect(output["id"]?.stringValue == event.id, "seed \(seed), round \(round)")
            for (index, value) in values.enumerated() {
                let text = value == .null ? "" : value.stringValue ?? value.text
                let within = output["within"]?.arrayValue?[index].stringValue
                #expect(within == "\(before) \(text)\(index)", "seed \(seed), round \(round)")
            }
        }
    }
}

/// Random values full of what JSON has to escape. Opening braces and U+0000 are left out, for the texts are put into templates, too.
private struct ValueMaker {
    /// SplitMix64.
    private struct Generator: RandomNumberGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            self.state &+= 0x9E37_79B9_7F4A_7C15
            var value = self.state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            return value ^ (value >> 31)
        }
    }

    private var generator: Generator

    init(seed: UInt64) { self.generator = Generator(state: seed) }

    mutating func text() -> String {
        let parts = ["a", "Z", "\"", "\\", "/", "\n", "\u{1F}", "\u{7F}", "é", "\u{301}", "😀", "\u{2028}", "}", "\u{10FFFF}", " "]
        let count = Int.random(in: 0..<12, using: &self.generator)
        return (0..<count).compactMap { _ in parts.randomElement(using: &self.generator) }.joined()
    }

    mutating func value(depth: Int) -> JSONValue {
        switch Int.random(in: 0..<(depth < 4 ? 8 : 6), using: &self.generator) {
        case 0: .null
        case 1: .bool(Bool.random(using: &self.generator))
        case 2: .integer(Int64.random(in: .min ... .max, using: &self.generator) >> Int64.random(in: 0..<63, using: &self.generator))
        case 3: .double(Double.random(in: -1...1, using: &self.generator) * ([1e-300, 1e300].randomElement(using: &self.generator) ?? 1))
        case 4, 5: .string(self.text())
        case 6: .array((0..<Int.random(in: 0..<4, using: &self.generator)).map { _ in self.value(depth: depth + 1) })
        default:
            .object(
                Dictionary((0..<Int.random(in: 0..<4, using: &self.generator)).map { _ in (self.text(), self.value(depth: depth + 1)) }) {
                    $1
                }
            )
        }
    }
}
