import Foundation
import Models
import Testing

@Suite struct NoticeTests {
    private func notice(title: String = "Title", detail: String = "Detail") -> Notice {
        Notice(
            id: "ntc_019a9f6e2b7c7d3e8f10a2b3c4d5e6f7",
            organizationID: OrganizationID(7),
            kind: .integrationFailed,
            subject: NoticeSubject("integration", 5, "Main\tCRM"),
            title: title,
            detail: detail,
            key: "integration:5",
            timestamp: Date(timeIntervalSince1970: 1_763_800_200)
        )
    }

    @Test(arguments: [
        ("plain", "plain"), ("  two\r\n\r\nlines ", "two lines"), ("a\u{202E}b\u{0}c\u{2028}d", "a b c d"), ("“Grüße” 你好", "“Grüße” 你好"),
        ("\u{200B}", ""),
        (String(repeating: "x", count: 301), String(repeating: "x", count: 299) + "…"),
    ])
    func textsBecomeOneCleanLine(_ text: String, _ clean: String) {
        let notice = self.notice(title: text)
        #expect(notice.title == clean)
        // Cleaning twice changes nothing: what one process made, another takes.
        #expect(NoticeText.line(clean, limit: NoticeText.titleLimit) == clean)
        #expect(notice.faults(at: "").map(\.pointer) == (clean.isEmpty ? ["/title"] : []))
    }

    @Test func noticesTravelWhole() throws {
        let notice = self.notice()
        let body = try JSONValue(parsing: try JSONCoding.encode(notice))
        #expect(body["organization_id"] == 7 && body["service"] == "integrations" && body["subject"]?["name"] == "Main CRM")
        #expect(try JSONCoding.decode(Notice.self, from: body.serialized()) == notice)
    }

    @Test func whatAStrangerMadeIsCheckedInEveryField() {
        var notice = self.notice()
        notice.id = "ntc_1"
        notice.service = .webhooks
        notice.subject.type = "Integration"
        notice.subject.id = ""
        notice.subject.name = "a\nb"
        notice.title = ""
        notice.detail = String(repeating: "x", count: 1001)
        notice.key = "a b"
        let members = ["id", "kind", "subject/type", "subject/id", "subject/name", "title", "detail", "key"]
        #expect(notice.faults(at: "/notices/0").map(\.pointer) == members.map { "/notices/0/\($0)" })
    }

    /// Who can do nothing about it is not told.
    @Test func ownersGetEveryKindAndViewersNone() {
        #expect(NoticeKind.kinds(for: .owner) == NoticeKind.allCases)
        #expect(NoticeKind.kinds(for: .viewer) == [])
        for kind in NoticeKind.allCases where kind.audience.contains(.editor) { #expect(kind.audience.contains(.admin)) }
    }
}
