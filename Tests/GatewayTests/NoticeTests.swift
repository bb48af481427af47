import Database
import Foundation
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Gateway

extension TestGateway {
    /// At the internal route, as the relay of that service brings them.
    func bring(_ notices: [Notice], as caller: ServiceName? = nil) async throws -> TestDoor.Answer {
        let body = try JSONCoding.encode(NoticeBatch(notices: notices))
        return try await self.bring(bytes: body, as: caller ?? notices.first?.service ?? .integrations)
    }

    func bring(bytes body: [UInt8], as caller: ServiceName) async throws -> TestDoor.Answer {
        let expires = Int64(Date().timeIntervalSince1970) + 30
        let identity = InternalIdentity(caller: caller, callee: .gateway, requestID: "req-1", expires: expires)
        let keys = try IdentityKeys(service: caller, keys: [.gateway: [Secret(Self.internalKey)]])
        let header = try keys.sign(identity, for: SignedRequest(method: "POST", path: "/internal/notices", body: .bytes(body)))
        let headers = [("Switchboard-Identity", header), ("Content-Type", "application/json")]
        return try await self.door.send("POST", "/internal/notices", headers: headers, bytes: body)
    }

    /// Their address is proved to be theirs: mail goes there.
    func verify(_ member: TestMember) async throws {
        try await self.database.runtime.write("UPDATE users SET email_verified_at = now() WHERE id = \(member.user)")
    }

    func owner(_ email: String = "ada@example.com") async throws -> TestMember {
        let owner = try await self.register(email)
        try await self.verify(owner)
        return owner
    }

    /// Subjects of the notice mails to this address, in the order of their making.
    func noticeMails(to member: TestMember) async throws -> [String] {
        try await self.database.runtime.read(
            "SELECT subject FROM mails WHERE kind = 'notice' AND recipient = \(member.email) ORDER BY id",
            as: String.self
        )
    }

    func feed(_ member: TestMember, _ query: String = "") async throws -> [JSONValue] {
        try await self.get("/notifications\(query)", member).json["data"]?.arrayValue ?? []
    }

    func unread(_ member: TestMember) async throws -> Int64? {
        try await self.get("/notifications/unread-count", member).json["unread"]?.integerValue
    }
}

extension Notice {
    static func make(
        _ organization: OrganizationID,
        _ kind: NoticeKind = .integrationFailed,
        about number: Int = 5,
        title: String = "Trouble",
        at time: Date = Date(),
        id: String = EventID.make("ntc")
    ) -> Notice {
        Notice(
            id: id,
            organizationID: organization,
            kind: kind,
            subject: NoticeSubject("integration", number, "Main CRM"),
            title: title,
            detail: "The access token was refused.",
            key: "integration:\(number)",
            timestamp: time
        )
    }
}

@Suite struct NoticeTests {
    // MARK: - Intake

    @Test func aNoticeIsTakenOnceHoweverOftenItIsBrought() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            let (first, second) = (Notice.make(owner.organization), Notice.make(owner.organization, about: 6))
            let answer = try await gateway.bring([first, second])
            #expect(answer.status == 200)
            #expect(answer.json == ["stored": 2])
            #expect(try await gateway.bring([second, Notice.make(owner.organization, about: 7)]).json == ["stored": 1])
            let answers = try await withThrowingTaskGroup(of: Int64?.self) { group in
                let raced = Notice.make(owner.organization, about: 8)
                for _ in 0..<4 { group.addTask { try await gateway.bring([raced]).json["stored"]?.integerValue } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.compactMap { $0 }.sorted() == [0, 0, 0, 1])
            let feed = try await gateway.feed(owner)
            #expect(feed.map { $0["count"] } == [1, 1, 1, 1])
            #expect(try await gateway.noticeMails(to: owner).count == 4)
            let entry = try #require(feed.last)
            #expect(entry["id"]?.stringValue == first.id)
            #expect(entry["kind"] == "integration_failed" && entry["service"] == "integrations" && entry["read"] == false)
            #expect(entry["subject"] == ["type": "integration", "id": "5", "name": "Main CRM"])
            #expect(entry["title"] == "Trouble" && entry["detail"] == "The access token was refused.")
        }
    }

    @Test func processesSpeakForThemselvesOnly() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            let notice = Notice.make(owner.organization)
            #expect(try await gateway.bring([notice], as: .webhooks).status == 403)
            let body = try JSONCoding.encode(NoticeBatch(notices: [notice]))
            let headers = owner.bearer + [("Content-Type", "application/json")]
            #expect(try await gateway.door.send("POST", "/internal/notices", headers: headers, bytes: body).status == 404)
            #expect(try await gateway.feed(owner).isEmpty)
        }
    }

    @Test func aBatchWithFaultsIsRefusedWithAllOfThem() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            var bad = Notice.make(owner.organization)
            bad.title = "two\nlines"
            bad.key = ""
            bad.kind = .quotaReached
            let answer = try await gateway.bring([Notice.make(owner.organization), bad], as: .integrations)
            #expect(answer.status == 422)
            let pointers = (answer.json["errors"]?.arrayValue ?? []).compactMap { $0["pointer"]?.stringValue }
            #expect(pointers == ["/notices/1/kind", "/notices/1/title", "/notices/1/key"])
            #expect(try await gateway.feed(owner).isEmpty)
            let unknown: JSONValue = ["notices": [["id": "ntc_1", "kind": "no_such_kind"]]]
            #expect((400...422).contains(try await gateway.bring(bytes: unknown.serialized(), as: .integrations).status))
        }
    }

    @Test func anOrganizationThatIsGoneHasNobodyToTell() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            let batch = [Notice.make(OrganizationID(4711)), Notice.make(owner.organization)]
            #expect(try await gateway.bring(batch).json == ["stored": 1])
        }
    }

    // MARK: - Folding

    @Test func repeatsWithinADayAreCountedInPlaceAndMailedOnce() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            let start = Date()
            let organization = owner.organization
            _ = try await gateway.bring([.make(organization, title: "first", at: start)])
            _ = try await gateway.bring([.make(organization, about: 6, title: "another", at: start)])
            let entry = try #require(try await gateway.feed(owner).last)
            let id = try #require(entry["id"]?.stringValue)
            #expect(try await gateway.post("/notifications/\(id)/read", owner).status == 204)
            #expect(try await gateway.unread(owner) == 1)
            _ = try await gateway.bring([.make(organization, title: "later", at: start + 3600)])
            // Brought late by an outbox that was cut off: counted, and its older words change nothing.
            _ = try await gateway.bring([.make(organization, title: "older", at: start - 3600)])
            let feed = try await gateway.feed(owner)
            #expect(feed.map { $0["title"]?.stringValue } == ["another", "later"])
            #expect(feed.map { $0["count"]?.integerValue } == [1, 3])
            #expect(feed.last?["id"]?.stringValue == id)
            #expect(feed.last?["last_at"]?.stringValue == Timestamp.format(start + 3600))
            #expect(feed.last?["first_at"]?.stringValue == Timestamp.format(start - 3600))
            // What came up again has not been read.
            #expect(feed.last?["read"] == false)
            #expect(try await gateway.unread(owner) == 2)
            #expect(try await gateway.noticeMails(to: owner) == ["first", "another"])
        }
    }

    @Test func theNextDayIsToldAnew() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            let start = Date() - 90_000
            _ = try await gateway.bring([.make(owner.organization, title: "first", at: start)])
            _ = try await gateway.bring([.make(owner.organization, title: "second", at: start + 86_399)])
            _ = try await gateway.bring([.make(owner.organization, title: "third", at: start + 86_401)])
            #expect(try await gateway.feed(owner).map { $0["count"]?.integerValue } == [1, 2])
            #expect(try await gateway.noticeMails(to: owner) == ["first", "third"])
        }
    }

    @Test func whatWorkedInBetweenIsANewTrouble() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            for kind in [NoticeKind.integrationFailed, .integrationRecovered, .integrationFailed, .integrationFailed] {
                _ = try await gateway.bring([.make(owner.organization, kind, title: kind.rawValue)])
            }
            #expect(try await gateway.feed(owner).map { $0["count"]?.integerValue } == [2, 1, 1])
            let told = ["integration_failed", "integration_recovered", "integration_failed"]
            #expect(try await gateway.noticeMails(to: owner) == told)
        }
    }

    // MARK: - Who sees what

    @Test func rolesSeeTheirKindsAndOrganizationsTheirOwn() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            let editor = try await gateway.join("eve@example.com", .editor, of: owner)
            let viewer = try await gateway.join("vic@example.com", .viewer, of: owner)
            let stranger = try await gateway.owner("mallory@example.com")
            let campaign = Notice.make(owner.organization, .campaignInDoubt, about: 1)
            let integration = Notice.make(owner.organization, about: 2)
            _ = try await gateway.bring([campaign])
            _ = try await gateway.bring([integration])
            func ids(_ member: TestMember) async throws -> [String?] { try await gateway.feed(member).map { $0["id"]?.stringValue } }
            #expect(try await ids(owner) == [integration.id, campaign.id])
            #expect(try await ids(editor) == [campaign.id])
            #expect(try await ids(viewer) == [])
            #expect(try await ids(stranger) == [])
            let counts = [try await gateway.unread(owner), try await gateway.unread(editor), try await gateway.unread(viewer)]
            #expect(counts == [2, 1, 0])
            #expect(try await gateway.post("/notifications/\(integration.id)/read", editor).status == 404)
            #expect(try await gateway.post("/notifications/\(campaign.id)/read", viewer).status == 404)
            let foreign = try await gateway.post("/notifications/\(campaign.id)/read", stranger)
            let missing = try await gateway.post("/notifications/ntc_00000000000000000000000000000000/read", stranger)
            #expect(foreign.status == 404 && foreign.json["detail"] == missing.json["detail"])
            // One member's reading is nobody else's.
            #expect(try await gateway.post("/notifications/\(campaign.id)/read", editor).status == 204)
            #expect(try await gateway.unread(editor) == 0)
            #expect(try await gateway.unread(owner) == 2)
            #expect(try await gateway.noticeMails(to: editor).count == 1)
            #expect(try await gateway.noticeMails(to: owner).count == 2)
            #expect(try await gateway.noticeMails(to: viewer).isEmpty)
            let (_, key) = try await gateway.key(of: owner, [.organizationRead])
            for path in ["/notifications", "/notifications/unread-count", "/notifications/settings"] {
                #expect(try await gateway.door.send("GET", "/api/v1\(path)", headers: [("X-API-Key", key)]).status == 403)
            }
        }
    }

    @Test func whatIsOlderThanTheMembershipCountsAsRead() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            _ = try await gateway.bring([.make(owner.organization, at: Date() - 60)])
            let admin = try await gateway.join("amy@example.com", .admin, of: owner)
            #expect(try await gateway.feed(admin).map { $0["read"] } == [true])
            #expect(try await gateway.unread(admin) == 0)
            _ = try await gateway.bring([.make(owner.organization, at: Date() + 1)])
            #expect(try await gateway.unread(admin) == 1)
        }
    }

    @Test func feedIsPagedNewestFirstAndReadAtOnce() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            let notices = (1...5).map { Notice.make(owner.organization, about: $0) }
            _ = try await gateway.bring(notices)
            let first = try await gateway.get("/notifications?limit=2", owner)
            #expect(first.status == 200)
            let cursor = try #require(first.json["next_cursor"]?.stringValue)
            // What comes later shifts nothing.
            _ = try await gateway.bring([.make(owner.organization, about: 6)])
            _ = try await gateway.bring([.make(owner.organization, about: 1)])
            let second = try await gateway.get("/notifications?limit=2&cursor=\(cursor)", owner)
            let shown = [first, second].flatMap { $0.json["data"]?.arrayValue ?? [] }.map { $0["id"]?.stringValue }
            #expect(shown == [notices[4].id, notices[3].id, notices[2].id, notices[1].id])
            #expect(try await gateway.post("/notifications/\(notices[2].id)/read", owner).status == 204)
            #expect(try await gateway.post("/notifications/\(notices[2].id)/read", owner).status == 204)
            let unread = try await gateway.feed(owner, "?unread=true").map { $0["id"]?.stringValue }
            #expect(unread.count == 5 && !unread.contains(notices[2].id))
            #expect(try await gateway.post("/notifications/read-all", owner).status == 204)
            #expect(try await gateway.post("/notifications/read-all", owner).status == 204)
            #expect(try await gateway.feed(owner, "?unread=true").isEmpty)
            #expect(try await gateway.feed(owner, "?unread=false").count == 6)
            #expect(try await gateway.unread(owner) == 0)
            for query in ["?unread=maybe", "?cursor=x", "?limit=0", "?nonsense=1"] {
                #expect(try await gateway.get("/notifications\(query)", owner).status == 422, "\(query)")
            }
        }
    }

    @Test func oldNoticesGo() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            let (old, new) = (
                Notice.make(owner.organization, about: 1, at: Date() - 91 * 86_400), Notice.make(owner.organization, about: 2)
            )
            _ = try await gateway.bring([old, new])
            _ = try await gateway.post("/notifications/read-all", owner)
            try await gateway.database.runtime.write(
                "UPDATE notice_receipts SET taken_at = now() - INTERVAL '91 days' WHERE id = \(old.id)"
            )
            try await Sweeper(database: gateway.database.runtime, logger: TestLog.quiet).sweep()
            #expect(try await gateway.feed(owner).map { $0["id"]?.stringValue } == [new.id])
            let left = try await gateway.database.runtime.read("SELECT id FROM notice_receipts", as: String.self)
            #expect(left == [new.id])
        }
    }
}
