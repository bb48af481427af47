import Database
import Foundation
import HTTPTypes
import Models
import TestSupport
import Testing

@testable import Webhooks

@Suite struct SubscriptionTests {
    private static let path = "/api/v1/zapier/webhooks"

    @Test(arguments: ["webhook_url", "target_url"])
    func isCreatedWithItsSecretShownOnce(_ name: String) async throws {
        try await Fixture.running { fixture in
            let reply = try await fixture.call(
                .post,
                Self.path,
                [name: "https://hooks.example.com/hooks/catch/123/abcdef/", "trigger_event": "campaign_sent", "description": "Mine"]
            )
            #expect(reply.status == 201)
            let id = try #require(reply.json["id"]?.integerValue)
            let secret = try #require(reply.json["secret"]?.stringValue)
            #expect(WebhookSecret(Secret(secret))?.key.count == 32)
            let shown = try await fixture.call(.get, "\(Self.path)/\(id)", as: .viewer)
            #expect(shown.status == 200)
            #expect(shown.json["secret"] == nil)
            #expect(shown.json["webhook_url"] == "https://hooks.example.com/***")
            #expect(shown.json["trigger_events"] == ["campaign_sent"])
            #expect(shown.json["description"] == "Mine")
        }
    }

    @Test func keepsTargetAndSecretOutOfListsRowsAndLogs() async throws {
        try await Fixture.running { fixture in
            let secret = try await fixture.subscribe("https://hooks.example.com/very-secret-path").secret
            let list = try await fixture.call(.get, Self.path)
            let rows = try await fixture.database.runtime.read(
                "SELECT to_jsonb(zapier_webhooks)::text AS row FROM zapier_webhooks",
                as: String.self
            )
            for text in [list.json.text, rows.joined(), fixture.log.text] {
                #expect(!text.contains("very-secret-path"))
                #expect(!text.contains(secret.dropFirst(6)))
            }
            #expect(list.json["data"]?.arrayValue?.count == 1)
        }
    }

    @Test func namesEveryFaultAtItsPlace() async throws {
        let good: JSONValue = "https://hooks.example.com/x"
        let faulty: [(JSONValue, [String])] = [
            ([:], ["/trigger_event", "/webhook_url"]),
            (["webhook_url": good, "target_url": good, "trigger_event": "campaign_sent"], ["/webhook_url"]),
            (["target_url": nil, "trigger_event": "campaign_sent"], ["/webhook_url"]),
            (["target_url": 5, "trigger_event": "campaign_sent"], ["/target_url"]),
            (["target_url": good, "trigger_event": "nonsense"], ["/trigger_event"]),
            (["target_url": good, "trigger_events": []], ["/trigger_events"]),
            (["target_url": good, "trigger_events": ["campaign_sent", 5, "x"]], ["/trigger_events/1", "/trigger_events/2"]),
            (["target_url": good, "trigger_event": "campaign_sent", "trigger_events": ["campaign_sent"]], ["/trigger_event"]),
            (["target_url": good, "trigger_event": "campaign_sent", "payload_template": []], ["/payload_template"]),
        ]
        try await Fixture.running(.init(allow: "")) { fixture in
            for (body, pointers) in faulty {
                let reply = try await fixture.call(.post, Self.path, body)
                #expect(reply.status == 422)
                #expect(reply.faultPointers.sorted() == pointers, "\(body.text)")
            }
        }
    }

    @Test(arguments: [
        "http://hooks.example.com/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://localhost/", "https://user:pass@example.com/", "ftp://example.com/", "nonsense", "https://[::ffff:127.0.0.1]/",
    ])
    func refusesTargetsInside(_ url: String) async throws {
        try await Fixture.running(.init(allow: "")) { fixture in
            let reply = try await fixture.call(.post, Self.path, ["target_url": .string(url), "trigger_event": "campaign_sent"])
            #expect(reply.status == 422)
            #expect(reply.faultPointers == ["/target_url"])
            #expect(try await fixture.count("SELECT count(*) AS n FROM zapier_webhooks") == 0)
        }
    }

    @Test func repeatUnderOneKeyAnswersTheSameSubscription() async throws {
        try await Fixture.running { fixture in
            let body: JSONValue = ["webhook_url": "https://hooks.example.com/x", "trigger_event": "campaign_sent"]
            let first = try await fixture.call(.post, Self.path, body, idempotencyKey: "one")
            let second = try await fixture.call(.post, Self.path, body, idempotencyKey: "one")
            #expect(first.json == second.json)
            #expect(second.status == 201)
            #expect(try await fixture.count("SELECT count(*) AS n FROM zapier_webhooks") == 1)
            let other = try await fixture.call(
                .post,
                Self.path,
                ["webhook_url": "https://hooks.example.com/y", "trigger_event": "campaign_sent"],
                idempotencyKey: "one"
            )
            #expect(other.status == 422)
        }
    }

    @Test func deletingAnswersTheSameForGoneForeignAndUnknown() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("https://hooks.example.com/x").id
            let foreign = try await fixture.call(.delete, "\(Self.path)/\(id)", in: OrganizationID(2))
            #expect(foreign.status == 204)
            #expect(try await fixture.call(.get, "\(Self.path)/\(id)").status == 200)
            #expect(try await fixture.call(.delete, "\(Self.path)/\(id)").status == 204)
            #expect(try await fixture.call(.delete, "\(Self.path)/\(id)").status == 204)
            #expect(try await fixture.call(.delete, "\(Self.path)/999999").status == 204)
            #expect(try await fixture.call(.get, "\(Self.path)/\(id)").status == 404)
            #expect(
                try await fixture.count("SELECT count(*) AS n FROM zapier_webhooks WHERE target_url IS NULL AND secret IS NULL") == 1
            )
        }
    }

    @Test func anotherOrganizationsSubscriptionIsNotThere() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("https://hooks.example.com/x").id
            let foreign = try await fixture.call(.get, "\(Self.path)/\(id)", in: OrganizationID(2))
            let missing = try await fixture.call(.get, "\(Self.path)/999999", in: OrganizationID(2))
            #expect(foreign.status == 404)
            #expect(foreign.json["detail"] == missing.json["detail"])
            #expect(try await fixture.call(.get, Self.path, in: OrganizationID(2)).json["data"] == [])
        }
    }

    @Test(arguments: [Role.viewer, .editor])
    func lowerRolesReadButDoNotChange(_ role: Role) async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("https://hooks.example.com/x").id
            let body: JSONValue = ["webhook_url": "https://hooks.example.com/x", "trigger_event": "campaign_sent"]
            #expect(try await fixture.call(.post, Self.path, body, as: role).status == 403)
            #expect(try await fixture.call(.delete, "\(Self.path)/\(id)", as: role).status == 403)
            #expect(try await fixture.call(.get, Self.path, as: role).status == 200)
            #expect(try await fixture.call(.get, "\(Self.path)/\(id)", as: role).status == 200)
        }
    }

    @Test func listsNewestFirstInPages() async throws {
        try await Fixture.running { fixture in
            var ids: [Int64] = []
            for number in 0..<5 { ids.append(try await fixture.subscribe("https://hooks.example.com/\(number)").id) }
            var seen: [Int64] = []
            var query = "?limit=2"
            repeat {
                let page = try await fixture.call(.get, Self.path + query)
                seen += (page.json["data"]?.arrayValue ?? []).compactMap { $0["id"]?.integerValue }
                query = page.json["next_cursor"]?.stringValue.map { "?limit=2&cursor=\($0)" } ?? ""
            } while !query.isEmpty
            #expect(seen == ids.reversed())
        }
    }

    @Test func aSealedTargetOpensOnlyInItsOwnRow() async throws {
        try await Fixture.running { fixture in
            let one = try await fixture.subscribe("http://127.0.0.1:9/one").id
            let two = try await fixture.subscribe("http://127.0.0.1:9/two").id
            try await fixture.database.runtime.write(
                """
                UPDATE zapier_webhooks SET target_url = (SELECT target_url FROM zapier_webhooks WHERE id = \(one)) WHERE id = \(two)
                """
            )
            try await fixture.database.runtime.write("DELETE FROM zapier_webhooks WHERE id = \(one)")
            try await fixture.bring([.make()])
            let delivery = try #require(try await fixture.parts.worker.queue.claim(10).deliveries.first)
            let result = try await fixture.parts.worker.sender.attempt(delivery)
            #expect(result.failure == .sealed)
        }
    }
}
