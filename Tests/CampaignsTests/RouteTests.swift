import Database
import Encryption
import Foundation
import HTTPTypes
import Models
import ServiceKit
import TestSupport
import Testing
import Transport

@testable import Campaigns

@Suite struct RouteTests {
    private static let draft: JSONValue = [
        "name": "Spring", "channel": "email", "integration_id": 5, "from_email": "news@x.example", "subject": "Hi {{first_name|there}}",
        "text": "Hello {{first_name|there}}", "audience": ["all": true],
    ]

    private func make(_ api: API, _ body: JSONValue = Self.draft) async throws -> Int64 {
        let answer = try await api.call(.post, "/api/v1/campaigns", body)
        #expect(answer.status == 201, "\(answer.body.text)")
        return try #require(answer.body["id"]?.integerValue)
    }

    @Test func aCampaignIsMadeReadChangedAndDeleted() async throws {
        try await withAPI { api, _ in
            let id = try await self.make(api)
            let read = try await api.call(.get, "/api/v1/campaigns/\(id)")
            #expect(read.body["status"] == "draft")
            #expect(read.body["counts"]?["total"] == 0)
            #expect(read.body["in_doubt_policy"] == "hold")
            #expect(read.body["html"] == .null)
            let changed = try await api.call(.patch, "/api/v1/campaigns/\(id)", ["subject": "New", "html": "<p>x</p>", "text": nil])
            #expect(changed.status == 200)
            #expect(changed.body["subject"] == "New")
            #expect(changed.body["text"] == .null)
            #expect(changed.body["name"] == "Spring")
            let list = try await api.call(.get, "/api/v1/campaigns")
            #expect(list.body["data"]?.arrayValue?.count == 1)
            #expect(list.body["data"]?.arrayValue?.first?["html"] == nil)
            #expect(try await api.call(.delete, "/api/v1/campaigns/\(id)").status == 204)
            #expect(try await api.call(.get, "/api/v1/campaigns/\(id)").status == 404)
        }
    }

    @Test func everyFaultIsNamedAtOnce() async throws {
        try await withAPI { api, _ in
            let answer = try await api.call(
                .post,
                "/api/v1/campaigns",
                [
                    "name": "", "integration_id": "5", "from_email": "x", "subject": "{{frist_name}}", "audience": ["all": false],
                    "colour": 1,
                ]
            )
            #expect(answer.status == 422)
            let faults = answer.body["errors"]?.arrayValue ?? []
            #expect(
                Set(faults.compactMap { $0["pointer"]?.stringValue })
                    == ["/name", "/integration_id", "/from_email", "/subject", "/audience/all", "/colour", "/html"]
            )
            let subject = faults.first { $0["pointer"] == "/subject" }
            #expect(subject?["detail"]?.stringValue?.contains("line 1, column 1") == true)
            #expect(subject?["detail"]?.stringValue?.contains("first_name") == true)
        }
    }

    @Test func aPatchCannotLeaveACampaignWithoutABody() async throws {
        try await withAPI { api, _ in
            let id = try await self.make(api)
            #expect(try await api.call(.patch, "/api/v1/campaigns/\(id)", ["text": nil]).status == 422)
        }
    }

    @Test func viewersReadAndDoNotWrite() async throws {
        try await withAPI { api, _ in
            let id = try await self.make(api)
            let viewer = api.acting(as: .viewer)
            #expect(try await viewer.call(.get, "/api/v1/campaigns/\(id)").status == 200)
            #expect(try await viewer.call(.get, "/api/v1/contacts").status == 200)
            #expect(try await viewer.call(.post, "/api/v1/campaigns", Self.draft).status == 403)
            #expect(try await viewer.call(.patch, "/api/v1/campaigns/\(id)", ["name": "x"]).status == 403)
            #expect(try await viewer.call(.delete, "/api/v1/campaigns/\(id)").status == 403)
            for action in ["schedule", "send", "pause", "resume", "cancel"] {
                #expect(try await viewer.call(.post, "/api/v1/campaigns/\(id)/\(action)", [:]).status == 403)
            }
        }
    }

    @Test func anotherOrganizationFindsNothing() async throws {
        try await withAPI { api, harness in
            try await harness.addContacts(count: 1, in: 1)
            let id = try await self.make(api)
            let contact = try #require(
                try await api.call(.get, "/api/v1/contacts").body["data"]?.arrayValue?.first?["id"]?.integerValue
            )
            let stranger = api.acting(in: 2)
            #expect(try await stranger.call(.get, "/api/v1/campaigns/\(id)").status == 404)
            #expect(try await stranger.call(.get, "/api/v1/campaigns/\(id)/messages").status == 404)
            #expect(try await stranger.call(.get, "/api/v1/contacts/\(contact)").status == 404)
            #expect(try await stranger.call(.patch, "/api/v1/campaigns/\(id)", ["name": "x"]).status == 404)
            #expect(try await stranger.call(.delete, "/api/v1/campaigns/\(id)").status == 404)
            for action in ["send", "pause", "resume", "cancel"] {
                #expect(try await stranger.call(.post, "/api/v1/campaigns/\(id)/\(action)", [:]).status == 404)
            }
            #expect(try await stranger.call(.get, "/api/v1/campaigns").body["data"]?.arrayValue == [])
        }
    }

    @Test func anIntegrationThatCannotSendIsRefusedWhenItIsGiven() async throws {
        try await withAPI { api, harness in
            for (id, words) in [(404, "is no integration of this organization"), (405, "sends no email")] as [(Int64, String)] {
                let given = try JSONValue.object((#require(Self.draft.objectValue)).merging(["integration_id": .integer(id)]) { $1 })
                let refused = try await api.call(.post, "/api/v1/campaigns", given)
                #expect(refused.status == 422)
                let fault = refused.body["errors"]?.arrayValue?.first
                #expect(fault?["pointer"] == "/integration_id")
                #expect(fault?["detail"]?.stringValue?.contains(words) == true)
            }
            let made = try await api.call(.post, "/api/v1/campaigns", Self.draft)
            let id = try #require(made.body["id"]?.integerValue)
            #expect(try await api.call(.patch, "/api/v1/campaigns/\(id)", ["integration_id": 404]).status == 422)
            // It was there when the campaign was made, and is gone when it is to start.
            try await harness.database.write("UPDATE campaigns SET integration_id = 404 WHERE id = \(id)")
            #expect(try await api.call(.post, "/api/v1/campaigns/\(id)/send").status == 422)
        }
    }

    @Test func aRepeatedCreateIsAnsweredFromTheFirst() async throws {
        try await withAPI { api, _ in
            let first = try await api.call(.post, "/api/v1/campaigns", Self.draft, key: "create-1")
            let again = try await api.call(.post, "/api/v1/campaigns", Self.draft, key: "create-1")
            #expect(first.status == 201)
            #expect(again.status == 201)
            #expect(first.body == again.body)
            #expect(try await api.call(.get, "/api/v1/campaigns").body["data"]?.arrayValue?.count == 1)
            let other = try await api.call(.post, "/api/v1/campaigns", ["name": "other"], key: "create-2")
            #expect(other.status == 422)
        }
    }

    @Test func aRepeatedSendStartsOnce() async throws {
        try await withAPI { api, _ in
            let id = try await self.make(api)
            let first = try await api.call(.post, "/api/v1/campaigns/\(id)/send", [:], key: "send-1")
            let again = try await api.call(.post, "/api/v1/campaigns/\(id)/send", [:], key: "send-1")
            #expect(first.status == 202)
            #expect(first.body["status"] == "preparing")
            #expect(again.body == first.body)
            let third = try await api.call(.post, "/api/v1/campaigns/\(id)/send", [:])
            #expect(third.status == 409)
            #expect(third.body["detail"]?.stringValue?.contains("preparing") == true)
        }
    }

    @Test func anotherBodyUnderTheKeyOfASendIsRefused() async throws {
        try await withAPI { api, _ in
            let id = try await self.make(api)
            #expect(try await api.call(.post, "/api/v1/campaigns/\(id)/send", [:], key: "send-1").status == 202)
            let other = try await api.call(.post, "/api/v1/campaigns/\(id)/send", ["note": "other"], key: "send-1")
            #expect(other.status == 422)
            #expect(other.body["type"]?.stringValue?.hasSuffix("idempotency-key-reused") == true)
        }
    }

    @Test func aRepeatedScheduleIsAnsweredFromTheFirstWhenItsTimeHasPassed() async throws {
        try await withAPI { api, _ in
            let path = "/api/v1/campaigns/\(try await self.make(api))/schedule"
            let soon = Date().addingTimeInterval(1)
            let body: JSONValue = ["scheduled_at": .string(Timestamp.format(soon))]
            let first = try await api.call(.post, path, body, key: "schedule-1")
            #expect(first.status == 200)
            while Date() <= soon { try await Task.sleep(for: .milliseconds(50)) }
            let again = try await api.call(.post, path, body, key: "schedule-1")
            #expect(again.status == 200)
            #expect(again.body == first.body)
        }
    }

    @Test func aCampaignIsScheduledPausedResumedAndCancelled() async throws {
        try await withAPI { api, _ in
            let id = try await self.make(api)
            let past = try await api.call(.post, "/api/v1/campaigns/\(id)/schedule", ["scheduled_at": "2020-01-01T00:00:00Z"])
            #expect(past.status == 422)
            let future = try await api.call(.post, "/api/v1/campaigns/\(id)/schedule", ["scheduled_at": "2100-01-01T00:00:00Z"])
            #expect(future.body["status"] == "scheduled")
            #expect(future.body["scheduled_at"] == "2100-01-01T00:00:00.000Z")
            #expect(try await api.call(.post, "/api/v1/campaigns/\(id)/pause").status == 409)
            #expect(try await api.call(.post, "/api/v1/campaigns/\(id)/send", [:]).body["scheduled_at"] == .null)
            #expect(try await api.call(.post, "/api/v1/campaigns/\(id)/pause").body["status"] == "paused")
            #expect(try await api.call(.patch, "/api/v1/campaigns/\(id)", ["name": "x"]).status == 409)
            #expect(try await api.call(.post, "/api/v1/campaigns/\(id)/resume").body["status"] == "preparing")
            #expect(try await api.call(.post, "/api/v1/campaigns/\(id)/cancel").body["status"] == "cancelled")
            #expect(try await api.call(.post, "/api/v1/campaigns/\(id)/resume").status == 409)
        }
    }

    @Test func messagesAreListedByStateAndInPages() async throws {
        try await withAPI { api, harness in
            try await harness.addContacts(["a@x.example", "b@x.example", nil], in: 1)
            let campaign = try await harness.startCampaign(in: 1)
            let path = "/api/v1/campaigns/\(campaign.id)/messages"
            let skipped = try await api.call(.get, path + "?state=skipped")
            #expect(skipped.body["data"]?.arrayValue?.map { $0["reason"] } == ["no_address"])
            let first = try await api.call(.get, path + "?limit=2")
            let cursor = try #require(first.body["next_cursor"]?.stringValue)
            let second = try await api.call(.get, path + "?limit=2&cursor=\(cursor)")
            #expect(first.body["data"]?.arrayValue?.count == 2)
            #expect(second.body["data"]?.arrayValue?.count == 1)
            #expect(second.body["next_cursor"] == .null)
            #expect(try await api.call(.get, path + "?state=lost").status == 422)
        }
    }

    @Test func contactsAreFilteredByAddress() async throws {
        try await withAPI { api, harness in
            try await harness.addContacts(["Anna@x.example", "b@x.example"], in: 1)
            let found = try await api.call(.get, "/api/v1/contacts?email=anna%40X.example")
            #expect(found.body["data"]?.arrayValue?.map { $0["email"] } == ["Anna@x.example"])
            #expect(found.body["data"]?.arrayValue?.first?["source"]?["integration_id"] == 3)
            #expect(try await api.call(.get, "/api/v1/contacts?email=nobody").status == 422)
        }
    }

    @Test func everyRouteOfTheServiceIsMounted() async throws {
        try await withHarness { harness in
            let table = RouteTable(service: .campaigns)
            try harness.mount(on: table)
            #expect(table.unmounted.isEmpty)
        }
    }

    @Test func whatIsWrittenIsAudited() async throws {
        try await withAPI { api, harness in
            let id = try await self.make(api)
            _ = try await api.call(.post, "/api/v1/campaigns/\(id)/send", [:])
            let actions = try await harness.database.read(
                "SELECT body->>'action' FROM outbox WHERE destination = 'gateway' ORDER BY id",
                as: String.self
            )
            #expect(actions == ["campaign.created", "campaign.send"])
        }
    }

    @Test func anUpdateTellsWhatItChanged() async throws {
        try await withAPI { api, harness in
            let id = try await self.make(api)
            let path = "/api/v1/campaigns/\(id)"
            #expect(try await api.call(.patch, path, ["subject": "New", "html": "<p>x</p>", "reply_to": "r@x.example"]).status == 200)
            #expect(try await api.call(.patch, path, ["subject": "New"]).status == 200)
            #expect(try await api.call(.post, "\(path)/schedule", ["scheduled_at": "2100-01-01T00:00:00Z"]).status == 200)
            let told = try await harness.database.read(
                "SELECT body->'details' FROM outbox WHERE body->>'action' <> 'campaign.created' ORDER BY id",
                as: JSONValue.self
            )
            #expect(told.count == 2, "an update that changes nothing is no entry")
            let digest = Hex.encode(try SHA256.digest(Array("<p>x</p>".utf8)))
            #expect(told.first?["before"] == ["subject": "Hi {{first_name|there}}", "html": nil, "reply_to": nil])
            #expect(
                told.first?["after"] == ["subject": "New", "html": ["bytes": 8, "sha256": .string(digest)], "reply_to": "r@x.example"]
            )
            #expect(told.last?["before"] == ["status": "draft", "scheduled_at": nil])
            #expect(told.last?["after"] == ["status": "scheduled", "scheduled_at": "2100-01-01T00:00:00.000Z"])
        }
    }
}
