import Database
import Foundation
import Models
import TestSupport
import Testing

@testable import Gateway

@Suite struct NoticeMailTests {
    @Test func membersChooseWhatComesByMail() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            let admin = try await gateway.join("amy@example.com", .admin, of: owner)
            let before = try await gateway.get("/notifications/settings", owner)
            #expect(before.status == 200)
            #expect(before.json["kinds"]?.objectValue?.count == NoticeKind.allCases.count)
            #expect(before.json["kinds"]?["integration_failed"] == ["mail": true])
            let choice: JSONValue = ["kinds": ["integration_failed": ["mail": false], "quota_reached": ["mail": true]]]
            let changed = try await gateway.door.send("PUT", "/api/v1/notifications/settings", headers: owner.bearer, body: choice)
            #expect(changed.status == 200)
            #expect(changed.json["kinds"]?["integration_failed"] == ["mail": false])
            #expect(try await gateway.get("/notifications/settings", owner).json == changed.json)
            _ = try await gateway.bring([.make(owner.organization)])
            #expect(try await gateway.noticeMails(to: owner).isEmpty)
            #expect(try await gateway.noticeMails(to: admin).count == 1)
            #expect(try await gateway.feed(owner).count == 1)
            // Left out is as never chosen.
            let back = try await gateway.door.send("PUT", "/api/v1/notifications/settings", headers: owner.bearer, body: ["kinds": [:]])
            #expect(back.json["kinds"]?["integration_failed"] == ["mail": true])
            _ = try await gateway.bring([.make(owner.organization, about: 6)])
            #expect(try await gateway.noticeMails(to: owner).count == 1)
        }
    }

    @Test func settingsNameEveryFaultAndKnowTheRole() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            let editor = try await gateway.join("eve@example.com", .editor, of: owner)
            let listed = try await gateway.get("/notifications/settings", editor).json["kinds"]?.objectValue?.keys.sorted()
            #expect(listed == ["campaign_failed", "campaign_in_doubt"])
            let bad: JSONValue = [
                "kinds": ["campaign_failed": ["mail": "no"], "campaign_in_doubt": [:], "integration_failed": ["mail": true]], "extra": 1,
            ]
            let answer = try await gateway.door.send("PUT", "/api/v1/notifications/settings", headers: editor.bearer, body: bad)
            #expect(answer.status == 422)
            let pointers = (answer.json["errors"]?.arrayValue ?? []).compactMap { $0["pointer"]?.stringValue }.sorted()
            #expect(pointers == ["/extra", "/kinds/campaign_failed/mail", "/kinds/campaign_in_doubt/mail", "/kinds/integration_failed"])
            let null: JSONValue = ["kinds": ["campaign_failed": .null]]
            let nulled = try await gateway.door.send("PUT", "/api/v1/notifications/settings", headers: editor.bearer, body: null)
            #expect(nulled.status == 422)
            #expect(nulled.json["errors"]?.arrayValue?.map { $0["pointer"]?.stringValue } == ["/kinds/campaign_failed"])
            let none = try await gateway.door.send("PUT", "/api/v1/notifications/settings", headers: editor.bearer, body: [:])
            #expect(none.status == 422)
        }
    }

    @Test func mailGoesToProvedAddressesOfMembersOnly() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.register()
            let admin = try await gateway.join("amy@example.com", .admin, of: owner)
            let leaver = try await gateway.join("lee@example.com", .admin, of: owner)
            _ = try await gateway.bring([.make(owner.organization)])
            #expect(try await gateway.noticeMails(to: owner).isEmpty, "an address that nobody proved")
            #expect(try await gateway.noticeMails(to: admin).count == 1)
            #expect(try await gateway.noticeMails(to: leaver).count == 1)
            let removed = try await gateway.door.send("DELETE", "/api/v1/members/\(leaver.user)", headers: owner.bearer)
            #expect(removed.status == 204)
            // What had not been sent yet goes with the membership.
            #expect(try await gateway.noticeMails(to: leaver).isEmpty)
            _ = try await gateway.bring([.make(owner.organization, about: 6)])
            #expect(try await gateway.noticeMails(to: leaver).isEmpty)
            #expect(try await gateway.noticeMails(to: admin).count == 2)
            let text = try await gateway.mail("notice", to: admin.email)
            #expect(text.contains("Trouble (Analytical Engines)."))
            #expect(text.contains("The access token was refused."))
            #expect(text.contains("https://gateway.test/notifications"))
            #expect(text.contains("integration_failed"))
        }
    }

    /// A provider's outage breaks all of its integrations at once.
    @Test func manyTroublesOfOneKindAreNotAStormOfMail() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            _ = try await gateway.bring((1...30).map { .make(owner.organization, about: $0) })
            _ = try await gateway.bring([.make(owner.organization, .webhookDisabled, about: 99)])
            #expect(try await gateway.feed(owner, "?limit=200").count == 31)
            #expect(try await gateway.noticeMails(to: owner).count == 21)
            let marked = try await gateway.database.runtime.read(
                "SELECT id FROM notices WHERE is_mailed AND kind = 'integration_failed'",
                as: String.self
            )
            #expect(marked.count == 20)
        }
    }

    @Test func aNoticeReachesTheMailServer() async throws {
        try await withMailServer { server in
            let variables = [
                "MAIL_SMTP_HOST": "127.0.0.1", "MAIL_SMTP_PORT": String(server.port), "MAIL_SMTP_SECURITY": "none",
                "MAIL_FROM": "switchboard@example.com",
            ]
            try await withGateway(.init(variables: variables, runsWorkers: true)) { gateway in
                let owner = try await gateway.owner()
                let title = "The integration “Main CRM” needs attention"
                _ = try await gateway.bring([.make(owner.organization, title: title)])
                try await eventually("the notice is mailed") { server.taken.count == 2 }
                // The subject is more than ASCII: encoded words.
                #expect(server.mails.contains { $0.data.contains("Subject: =?UTF-8?B?") })
            }
        }
    }
}
