import ServiceKit
import Testing

@Suite struct TextCursorTests {
    @Test(arguments: ["evt_019a9f6e2b7c7d3e8f10a2b3c4d5e6f7", "x", "ü"]) func comesBackAsItWas(_ id: String) {
        #expect(TextCursor.decode(TextCursor.encode(id)) == id)
    }

    @Test func whatWasChangedOrIsOfAnotherListIsNone() {
        let cursor = TextCursor.encode("evt_1")
        for index in cursor.indices {
            var changed = cursor
            changed.replaceSubrange(index...index, with: cursor[index] == "A" ? "B" : "A")
            #expect(TextCursor.decode(changed) == nil, "\(changed)")
        }
        #expect(TextCursor.decode(Cursor.encode(7)) == nil)
        #expect(Cursor.decode(cursor) == nil)
        #expect(TextCursor.decode("") == nil)
        #expect(TextCursor.decode(String(repeating: "A", count: 5_000)) == nil)
    }
}
