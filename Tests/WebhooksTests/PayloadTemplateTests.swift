import Models
import Testing

@testable import Webhooks

/// What templates render. ``PayloadTemplateFaultTests`` has what is refused, and hostile values.
@Suite struct PayloadTemplateTests {
    static let data: JSONValue = [
        "name": "Ada", "count": 3, "ratio": 2.5, "paid": true, "none": nil, "list": [1, "two", nil], "map": ["b": 1, "a": "x"],
        "quote": "say \"hi\"\\\n\u{1}é😀", "empty": "",
    ]

    static let event = EventView(id: "evt_1", type: "order", timestamp: "2026-11-22T08:30:00.123Z", data: data)

    /// Takes every path below `data`.
    static let outline = EventOutline(shapes: [
        .object([
            EventField("id", .string, ""), EventField("type", .string, ""), EventField("timestamp", .dateTime, ""),
            EventField("data", .object([]), ""),
        ])
    ])

    static func template(_ json: JSONValue) throws -> PayloadTemplate {
        let result = PayloadTemplate.parse(json, within: outline)
        #expect(result.faults.isEmpty, "\(json.text): \(result.faults)")
        return try #require(result.template)
    }

    /// The output, which must be JSON as compact and sorted as any other of the house.
    static func rendered(_ json: JSONValue, _ event: EventView = event) throws -> JSONValue {
        let bytes = try self.template(json).render(event)
        let value = try JSONValue(parsing: bytes)
        #expect(value.serialized() == bytes)
        return value
    }

    @Test(arguments: ["name", "count", "ratio", "paid", "none", "list", "map", "quote", "empty"])
    func aPlaceholderAloneKeepsTheTypeOfItsValue(name: String) throws {
        for text in ["{{\(name)}}", "{{ data.\(name) }}", "{{   \(name) }}"] {
            #expect(try Self.rendered(["x": .string(text)])["x"] == Self.data[name], "\(text)")
        }
    }

    @Test(
        arguments: [
            ("name", "Ada"), ("count", "3"), ("ratio", "2.5"), ("paid", "true"), ("none", ""), ("gone", ""), ("empty", ""),
            ("list", #"[1,"two",null]"#), ("map", #"{"a":"x","b":1}"#), ("quote", "say \"hi\"\\\n\u{1}é😀"), ("list.1", "two"),
            ("map.a", "x"),
            ("id", "evt_1"), ("type", "order"), ("timestamp", "2026-11-22T08:30:00.123Z"),
        ]
    )
    func insideALongerStringAValueIsText(name: String, text: String) throws {
        #expect(try Self.rendered(["x": .string("<{{\(name)}}>")]) == ["x": .string("<\(text)>")])
        #expect(try Self.rendered(["x": .string("{{\(name)}}{{ \(name) }}")]) == ["x": .string(text + text)])
        #expect(try Self.rendered(["x": .string(" {{\(name)}}")]) == ["x": .string(" " + text)])
    }

    @Test func anAbsentValueAloneIsNull() throws {
        #expect(try Self.rendered(["x": "{{data.gone}}", "y": ["{{list.9}}"]]) == ["x": nil, "y": [nil]])
        #expect(try Self.rendered(["x": "{{name}}"], EventView(id: "", type: "", timestamp: "", data: nil)) == ["x": nil])
    }

    @Test func theWholeEventCanBeQuoted() throws {
        #expect(try Self.rendered(["event": ["{{id}}", "{{data}}"]]) == ["event": ["evt_1", Self.data]])
    }

    @Test func whatIsNoPlaceholderStaysAsItIs() throws {
        let json: JSONValue = [
            "a": 1, "b": [true, nil, 1.5, "text", [:], []], "c": ["d\"\\\n": "}} { } {x} \\ \\{ }}{", "": "é😀\u{1}"], "big": .integer(.min),
        ]
        #expect(try Self.rendered(json) == json)
        #expect(try Self.rendered([:]) == [:])
    }

    @Test func placeholdersStandAtEveryDepth() throws {
        let json: JSONValue = ["a": ["b": [["c": "{{name}}"], "{{count}} of {{list}}"]], "z": "{{paid}}"]
        #expect(try Self.rendered(json) == ["a": ["b": [["c": "Ada"], #"3 of [1,"two",null]"#]], "z": true])
    }

    @Test(
        arguments: [
            (#"\{{"#, "{{"), (#"\{{name}}"#, "{{name}}"), (#"a \{{ b }} {{name}}"#, "a {{ b }} Ada"), (#"\\{{name}}"#, #"\Ada"#),
            (#"\\\{{name}}"#, #"\{{name}}"#), (#"\\\\{{name}}"#, #"\\Ada"#), (#"C:\dir\{x}"#, #"C:\dir\{x}"#), (#"\\"#, #"\\"#),
            (#"\"#, #"\"#),
            ("{{name}}}", "Ada}"), ("{ {{name}} }", "{ Ada }"), ("{", "{"), ("}}", "}}"), (#"{\{{"#, "{{{"), (#"\{{{{name}}"#, "{{Ada"),
        ]
    )
    func aBackslashMakesBracesLiteral(text: String, output: String) throws {
        #expect(try Self.rendered(["x": .string(text)]) == ["x": .string(output)])
    }

    @Test func anEventsBracesAreNotPlaceholders() throws {
        let event = EventView(id: "{{type}}", type: "t", timestamp: "", data: ["a": "{{id}}", "b": ["{{id}}": "\\{{id}}"]])
        #expect(
            try Self.rendered(["x": "{{id}} {{a}} {{b}}", "y": "{{b}}"], event) == [
                "x": #"{{type}} {{id}} {"{{id}}":"\\{{id}}"}"#, "y": ["{{id}}": "\\{{id}}"],
            ]
        )
    }

    @Test func aTemplateMayComeAsAString() throws {
        let object: JSONValue = ["text": "New: {{name}}", "n": "{{count}}"]
        for text in [object.text, " \n{ \"text\" : \"New: {{name}}\", \"n\": \"\\u007b{count}}\" }\t"] {
            let template = try Self.template(.string(text))
            #expect(template.json == object)
            #expect(try JSONValue(parsing: template.render(Self.event)) == ["text": "New: Ada", "n": 3])
        }
    }

    @Test func aTemplateIsGivenBackAsItWasGiven() throws {
        let json: JSONValue = ["a": "{{  name}}", "b": [1, #"\{{"#, "{{ data.name }}!"], "c": nil]
        #expect(try Self.template(json).json == json)
    }

    @Test func aStoredTemplateOutlivesChangesOfTheCatalogue() throws {
        let json: JSONValue = ["a": "{{since_removed}}", "b": "{{id}}"]
        #expect(PayloadTemplate.parse(json, for: [.campaignSent]).template == nil)
        let template = try #require(PayloadTemplate(stored: json))
        #expect(template.json == json)
        #expect(try JSONValue(parsing: template.render(Self.event)) == ["a": nil, "b": "evt_1"])
        #expect(PayloadTemplate(stored: ["a": "{{"]) == nil)
        #expect(PayloadTemplate(stored: "{}") == nil)
    }

    @Test(arguments: EventCatalogue.all.map(\.type))
    func everyPathOfEveryTypeCanBeQuoted(type: EventType) throws {
        let example = EventCatalogue.description(of: type).example
        let event = EventView(id: "evt_1", type: type.rawValue, timestamp: "2026-11-22T08:30:00.123Z", data: example)
        for path in EventOutline([type]).paths {
            let result = PayloadTemplate.parse(["x": .string("{{\(path)}}"), "y": .string("{{\(path)}}.")], for: [type])
            let template = try #require(result.template, "\(path): \(result.faults)")
            let output = try JSONValue(parsing: template.render(event))
            #expect(try output["x"] == EventPath(parsing: path).value(in: event) ?? .null)
        }
    }
}
