import Foundation
import Models
import ServiceKit
import Testing

@Suite struct FieldReaderTests {
    private enum Colour: String, CaseIterable { case red, green }

    private func faults(_ reader: inout FieldReader) -> [String: String] {
        do {
            try reader.finish()
            return [:]
        } catch let problem as Problem {
            return Dictionary(problem.errors.map { ($0.pointer, $0.detail) }, uniquingKeysWith: { "\($0); \($1)" })
        } catch {
            return ["": "\(error)"]
        }
    }

    @Test func allFaultsAreNamedAtOnce() {
        var reader = FieldReader(["name": "", "age": 900, "email": "no", "colour": "blue", "extra": 1, "a/b~c": 1, "flag": "yes"])
        _ = reader.string("name")
        _ = reader.integer("age", 0...150)
        _ = reader.email("email")
        _ = reader.choice("colour") as Colour
        _ = reader.boolean("flag", default: false)
        _ = reader.string("missing")
        let faults = self.faults(&reader)
        #expect(
            Set(faults.keys) == ["/name", "/age", "/email", "/colour", "/flag", "/missing", "/extra", "/a~1b~0c"]
        )
        #expect(faults["/extra"] == "is not a known field")
        #expect(faults["/missing"] == "is missing")
    }

    @Test func pointersEscapeSlashesAlsoUnderCombiningMarks() {
        #expect(JSONPointer.escape("a/b~c") == "a~1b~0c")
        #expect(Array(JSONPointer.escape("a/\u{338}b").unicodeScalars) == Array("a~1\u{338}b".unicodeScalars))
    }

    @Test func rightFieldsAreRead() throws {
        var reader = FieldReader([
            "name": "Ada\nLovelace", "age": 36, "email": " Ada@Example.COM ", "colour": "green", "at": "2026-11-22T08:30:00Z",
            "config": ["a": 1], "none": nil,
        ])
        #expect(reader.string("name") == "Ada\nLovelace")
        #expect(reader.integer("age", 0...150) == 36)
        #expect(reader.email("email") == "Ada@example.com")
        #expect(reader.choice("colour") as Colour == .green)
        #expect(reader.optionalDate("at") == Date(timeIntervalSince1970: 1_795_336_200))
        #expect(reader.optionalObject("config") == ["a": 1])
        #expect(reader.optionalString("none") == nil)
        #expect(reader.has("none"))
        #expect(reader.integer("limit", 1...10, default: 5) == 5)
        try reader.finish()
    }

    @Test func nestedFaultsCarryTheirPath() {
        var reader = FieldReader(["steps": [["kind": "red"], ["kind": "blue", "odd": 1]], "smtp": ["port": 0]])
        _ = reader.optionalItems("steps") { step in step.choice("kind") as Colour }
        _ = reader.fields("smtp") { smtp in smtp.integer("port", 1...65535) }
        #expect(Set(self.faults(&reader).keys) == ["/steps/1/kind", "/steps/1/odd", "/smtp/port"])
    }

    @Test func missingObjectNamesWhatItNeeds() {
        var reader = FieldReader([:])
        _ = reader.fields("smtp") { smtp in smtp.integer("port", 1...65535) }
        #expect(self.faults(&reader).keys.contains("/smtp"))
    }

    @Test func charactersThatPostgresCannotKeepAreRefused() {
        var reader = FieldReader(["name": "a\u{0}b", "bell": "a\u{7}", "config": ["deep": [["x": "\u{0}"]]], "subject": "a\nb"])
        _ = reader.string("name")
        _ = reader.string("bell")
        _ = reader.optionalObject("config")
        _ = reader.line("subject")
        #expect(Set(self.faults(&reader).keys) == ["/name", "/bell", "/config", "/subject"])
    }

    @Test func bodyThatIsNoObjectIsAFault() {
        var reader = FieldReader([1, 2])
        #expect(self.faults(&reader) == ["": "must be an object"])
    }

    @Test func secretDoesNotPrint() throws {
        var reader = FieldReader(["token": "hunter2"])
        let secret = reader.secret("token")
        try reader.finish()
        #expect("\(secret)" == "***")
        #expect(secret.reveal() == "hunter2")
    }

    @Test(arguments: [
        "a@example.com", "first.last+tag@sub.example.co.uk", "müller@example.de", "x@bücher.example", "o'brien@example.com",
    ])
    func addressIsTaken(_ address: String) { #expect(EmailAddress.normalized(address) != nil) }

    @Test(arguments: [
        "", "a", "@example.com", "a@", "a@b", "a b@example.com", "a@exa mple.com", "a@@example.com", "a@b@example.com", ".a@example.com",
        "a.@example.com", "a..b@example.com", "a@-example.com", "a@example-.com", "a@example..com", "a@127.0.0.1", "a\n@example.com",
        "a@example.com\r\nBcc: b@example.com", "<a@example.com>", "a@example.com,b@example.com", "\u{0}@example.com",
        String(repeating: "a", count: 65) + "@example.com", "a@" + String(repeating: "b", count: 64) + ".com",
    ])
    func nonsenseIsRefused(_ address: String) { #expect(EmailAddress.normalized(address) == nil) }

    @Test(arguments: [Int64(1), 42, .max])
    func cursorComesBack(_ id: Int64) { #expect(Cursor.decode(Cursor.encode(id)) == id) }

    @Test(arguments: ["", "AAAA", "not a cursor", "AQAAAAAAAAAqAAAAAA", String(repeating: "A", count: 500)])
    func brokenCursorIsRefused(_ text: String) { #expect(Cursor.decode(text) == nil) }

    @Test func pageKnowsWhetherThereIsMore() {
        let request = PageRequest(limit: 2)
        let full = Page(fetched: [Int64(9), 8, 7], request: request, id: { $0 })
        #expect(full.data == [9, 8])
        #expect(full.nextCursor.flatMap { Cursor.decode($0) } == 8)
        #expect(Page(fetched: [Int64(9), 8], request: request, id: { $0 }).nextCursor == nil)
    }
}
