import Models
import Testing

@testable import Campaigns

@Suite struct ContactRulesTests {
    @Test(arguments: [
        (" Anna@EXAMPLE.com ", "Anna@example.com", "anna@example.com"),
        ("a.b+c@x.example", "a.b+c@x.example", "a.b+c@x.example"),
    ])
    func addressesAreNormalised(text: String, address: String, key: String) {
        #expect(Mailbox(text)?.address == address)
        #expect(Mailbox(text)?.key == key)
    }

    @Test(arguments: ["", "anna", "@x.example", "a@", "a b@x.example", "a@x.example\r\nBcc: b@x.example", "a@b@x.example", "<a@x.example>"])
    func whatNoMailCanBeSentToIsRefused(text: String) {
        #expect(Mailbox(text) == nil)
    }

    private func change(_ position: Int64, record: Int64, _ operation: RecordChange.Operation = .upsert, name: String? = "Anna")
        -> RecordChange
    {
        RecordChange(
            position: position,
            recordID: RecordID(record),
            integrationID: 5,
            kind: .contact,
            operation: operation,
            contact: operation == .upsert ? ContactFields(externalID: "e\(record)", firstName: name) : nil
        )
    }

    @Test func theLastWordOnARecordCounts() {
        let page = FeedPage([
            self.change(1, record: 1, name: "old"), self.change(2, record: 2), self.change(3, record: 1, name: "new"),
            self.change(4, record: 2, .delete),
        ])
        #expect(page.upserts.map(\.fields.firstName) == ["new"])
        #expect(page.deletes == [FeedPage.Key(integrationID: 5, recordID: 2)])
    }

    @Test func textThatPostgresCannotKeepDoesNotStopTheFeed() {
        let page = FeedPage([self.change(1, record: 1, name: "An\u{0}na\r\n"), self.change(2, record: 2, name: " \t ")])
        #expect(page.upserts.map(\.fields.firstName) == ["An na", nil])
    }

    @Test func longTextIsCut() {
        let page = FeedPage([self.change(1, record: 1, name: String(repeating: "x", count: 10_000))])
        #expect(page.upserts.first?.fields.firstName?.count == FeedPage.fieldLimit)
    }

    @Test func anOrganizationInHandWaitsForItsNextTurn() {
        let backlog = FeedBacklog()
        backlog.add([1, 2, 1])
        #expect(backlog.take(1) == [1])
        backlog.add([1])
        #expect(backlog.take(5) == [2])
        #expect(backlog.take(5) == [])
        #expect(backlog.finish(1))
        #expect(!backlog.finish(2))
        #expect(backlog.take(5) == [1])
    }
}
