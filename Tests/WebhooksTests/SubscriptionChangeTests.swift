import Database
import Foundation
import HTTPTypes
import Models
import TestSupport
import Testing

@testable import Webhooks

@Suite struct SubscriptionChangeTests {
    private static let path = "/api/v1/zapier/webhooks"

    private static let options: JSONValue = [
        "webhook_url": "https://hooks.example.com/x", "trigger_event": "content_posted",
        "filter": ["data.platform": "linkedin"], "payload_template": ["text": "New on {{platform}}", "id": "{{content_id}}"],
        "headers": ["X-Api-Key": "s3cret", "Authorization": "Bearer abc"], "ordering_key": "content_id", "rate_limit": 5, "timeout": 10,
        "retry_schedule": [0, 0.5, 60], "signatures": ["v1", "v1a"],
    ]

    @Test func everyOptionIsKeptAndShownAndHeadersWithoutTheirValues() async throws {
        try await Fixture.running { fixture in
            let made = try await fixture.call(.post, Self.path, Self.options)
            #expect(made.status == 201, "\(made.json.text)")
            let id = try #require(made.json["id"]?.integerValue)
            let shown = try await fixture.call(.get, "\(Self.path)/\(id)", as: .viewer).json
            for name in ["filter", "payload_template", "ordering_key", "rate_limit", "timeout", "retry_schedule", "signatures"] {
                #expect(shown[name] == Self.options[name], "\(name)")
            }
            #expect(shown["headers"] == ["X-Api-Key": "***", "Authorization": "***"])
            #expect(shown["state"] == "active")
            let rows = try await fixture.database.runtime.read(
                "SELECT to_jsonb(zapier_webhooks)::text AS row FROM zapier_webhooks",
                as: String.self
            )
            #expect(!rows.joined().contains("s3cret") && !fixture.log.text.contains("s3cret"))
        }
    }

    @Test func namesEveryFaultOfTheOptionsAtItsPlace() async throws {
        try await Fixture.running { fixture in
            let reply = try await fixture.call(
                .post,
                Self.path,
                [
                    "webhook_url": "https://hooks.example.com/x", "trigger_event": "content_posted",
                    "filter": ["data.platfrom": "linkedin"], "payload_template": ["text": "{{content}}"],
                    "headers": ["Webhook-Id": "x", "bad name": "x", "X-A": "line\nbreak", "Host": "x"], "ordering_key": "nothing",
                    "rate_limit": 0, "timeout": 31, "retry_schedule": [0, -1, "x"], "signatures": ["v2"],
                ]
            )
            #expect(reply.status == 422)
            #expect(
                reply.faultPointers.sorted() == [
                    "/filter/data.platfrom", "/headers/Host", "/headers/Webhook-Id", "/headers/X-A", "/headers/bad name", "/ordering_key",
                    "/payload_template/text", "/rate_limit", "/retry_schedule/1", "/retry_schedule/2", "/signatures/0", "/timeout",
                ]
            )
            #expect(try await fixture.count("SELECT count(*) AS n FROM zapier_webhooks") == 0)
        }
    }

    @Test func aChangeTouchesOnlyWhatItNames() async throws {
        try await Fixture.running { fixture in
            let id = try #require(try await fixture.call(.post, Self.path, Self.options).json["id"]?.integerValue)
            let changed = try await fixture.call(.patch, "\(Self.path)/\(id)", ["description": "Mine", "filter": nil, "rate_limit": 9])
            #expect(changed.status == 200, "\(changed.json.text)")
            #expect(changed.json["description"] == "Mine" && changed.json["filter"] == .null && changed.json["rate_limit"] == 9)
            #expect(changed.json["payload_template"] == Self.options["payload_template"])
            #expect(changed.json["headers"]?.objectValue?.count == 2)
            #expect(changed.json["secret"] == nil)
        }
    }

    @Test func anotherEventMustFitTheFilterAndTheTemplateThatStay() async throws {
        try await Fixture.running { fixture in
            let id = try #require(try await fixture.call(.post, Self.path, Self.options).json["id"]?.integerValue)
            let reply = try await fixture.call(.patch, "\(Self.path)/\(id)", ["trigger_event": "campaign_sent"])
            #expect(reply.status == 422)
            #expect(Set(reply.faultPointers).isSuperset(of: ["/filter/data.platform", "/ordering_key"]), "\(reply.json.text)")
            #expect(try await fixture.call(.get, "\(Self.path)/\(id)").json["trigger_events"] == ["content_posted"])
        }
    }

    @Test func anotherOrganizationsSubscriptionIsNotThere() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            let other = OrganizationID(2)
            #expect(try await fixture.call(.patch, "\(Self.path)/\(id)", ["description": "x"], in: other).status == 404)
            for action in ["pause", "resume"] {
                #expect(try await fixture.call(.post, "\(Self.path)/\(id)/\(action)", in: other).status == 404)
            }
            for action in ["test", "rotate-secret"] {
                #expect(try await fixture.call(.post, "\(Self.path)/\(id)/\(action)", [:], in: other).status == 404)
            }
            #expect(try await fixture.call(.get, "\(Self.path)/\(id)/health", in: other).status == 404)
        }
    }

    @Test func whatAPausedSubscriptionGetsWaitsUntilItIsResumed() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                let id = try await fixture.subscribe(target.url()).id
                #expect(try await fixture.call(.post, "\(Self.path)/\(id)/pause").json["state"] == "paused")
                try await fixture.bring([.make(), .make()])
                #expect(try await fixture.parts.worker.queue.claim(10).deliveries.isEmpty)
                #expect(try await fixture.call(.post, "\(Self.path)/\(id)/resume").json["state"] == "active")
                try await fixture.delivering { try await eventually("both came") { target.deliveries.count == 2 } }
            }
        }
    }

    @Test func bothSecretsSignUntilTheGraceIsOver() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                let (id, old) = try await fixture.subscribe(target.url())
                let rotated = try await fixture.call(.post, "\(Self.path)/\(id)/rotate-secret", ["grace_seconds": 3600])
                #expect(rotated.status == 200, "\(rotated.json.text)")
                let new = try #require(rotated.json["secret"]?.stringValue)
                #expect(new != old && rotated.json["previous_secret_until"] != .null)
                #expect(try await fixture.call(.post, "\(Self.path)/\(id)/rotate-secret", ["grace_seconds": 60]).status == 409)
                try await fixture.delivering {
                    try await fixture.bring([.make()])
                    try await eventually("it came") { target.deliveries.count == 1 }
                    _ = try await fixture.call(.post, "\(Self.path)/\(id)/rotate-secret", ["grace_seconds": 0])
                    try await fixture.bring([.make()])
                    try await eventually("the other came") { target.deliveries.count == 2 }
                }
                let delivery = target.deliveries[0]
                let timestamp = try #require(delivery.header("webhook-timestamp").flatMap(Int64.init))
                let keys = [new, old].compactMap { WebhookSecret(Secret($0)) }
                let expected = try WebhookSignature.header(
                    id: delivery.header("webhook-id") ?? "",
                    timestamp: timestamp,
                    body: delivery.body,
                    secrets: keys
                )
                #expect(delivery.header("webhook-signature") == expected)
                #expect(target.deliveries[1].header("webhook-signature")?.split(separator: " ").count == 1)
            }
        }
    }

    @Test func aSecretThatOpensNoMoreIsReplaced() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            try await fixture.database.runtime.write("UPDATE zapier_webhooks SET secret = 'not sealed with any key of this process'")
            let rotated = try await fixture.call(.post, "\(Self.path)/\(id)/rotate-secret", [:])
            #expect(rotated.status == 200 && rotated.json["secret"]?.stringValue != nil, "\(rotated.json.text)")
            #expect(rotated.json["previous_secret_until"] == .null)
        }
    }

    @Test func anOldSecretIsWipedWhenItsGraceIsOver() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            _ = try await fixture.call(.post, "\(Self.path)/\(id)/rotate-secret", ["grace_seconds": 3600])
            let sweeper = SigningKeySweeper(database: fixture.database.runtime, logger: fixture.log.logger)
            try await sweeper.sweep()
            #expect(try await fixture.count("SELECT count(*) AS n FROM zapier_webhooks WHERE previous_secret IS NOT NULL") == 1)
            try await fixture.database.runtime.write("UPDATE zapier_webhooks SET previous_secret_until = now()")
            try await sweeper.sweep()
            #expect(try await fixture.count("SELECT count(*) AS n FROM zapier_webhooks WHERE previous_secret IS NOT NULL") == 0)
        }
    }

    @Test func whatWaitsForAResumedSubscriptionIsNotCalledOff() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            try await fixture.bring([.make(), .make()])
            try await fixture.database.runtime.write("UPDATE zapier_webhooks SET disabled_at = now(), disabled_reason = 'failing'")
            // A sweep that has begun, and gets no further before a member enables the subscription again.
            let begun = try await fixture.parts.sweeper.unswept(10)
            #expect(begun.count == 1)
            #expect(try await fixture.call(.post, "\(Self.path)/\(id)/resume").json["state"] == "active")
            for ended in begun { try await fixture.parts.sweeper.sweep(ended) }
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries WHERE state = 'pending'") == 2)
        }
    }

    @Test func lanesOfASubscriptionThatIsEnabledAgainGoOn() async throws {
        try await Fixture.running { fixture in
            let made = try await fixture.call(
                .post,
                Self.path,
                ["webhook_url": "http://127.0.0.1:9/", "trigger_event": "content_posted", "ordering_key": "content_id"]
            )
            let id = try #require(made.json["id"]?.integerValue)
            try await fixture.bring((0..<2).map { _ in .make("content_posted", adding: ["content_id": "a"]) })
            try await fixture.database.runtime.write("UPDATE zapier_webhooks SET disabled_at = now(), disabled_reason = 'failing'")
            // The sweeper was at work: the first of the lane is called off.
            try await fixture.settle("next_attempt_at < 'infinity'", as: "dead")
            #expect(try await fixture.call(.post, "\(Self.path)/\(id)/resume").status == 200)
            #expect(try await fixture.parts.worker.queue.claim(10).deliveries.count == 1)
        }
    }

    @Test func anOrganizationHasAThousandSubscriptionsAtMost() async throws {
        try await Fixture.running { fixture in
            let id = try await fixture.subscribe("http://127.0.0.1:9/").id
            try await fixture.database.runtime.write(
                """
                INSERT INTO zapier_webhooks (organization_id, event_types, display_url, target_url, secret)
                SELECT organization_id, event_types, display_url, target_url, secret
                FROM zapier_webhooks, generate_series(2, \(SubscriptionStore.most))
                """
            )
            let body: JSONValue = ["webhook_url": "http://127.0.0.1:9/", "trigger_event": "campaign_sent"]
            #expect(try await fixture.call(.post, Self.path, body).status == 409)
            #expect(try await fixture.call(.post, Self.path, body, in: OrganizationID(2)).status == 201)
            _ = try await fixture.call(.delete, "\(Self.path)/\(id)")
            #expect(try await fixture.call(.post, Self.path, body).status == 201)
        }
    }

    @Test func theFirstWaitIsTheSubscriptionsOwn() async throws {
        try await Fixture.running { fixture in
            var options = Self.options.objectValue ?? [:]
            options["filter"] = .null
            options["retry_schedule"] = [3600, 1]
            #expect(try await fixture.call(.post, Self.path, .object(options)).status == 201)
            options["ordering_key"] = .null
            #expect(try await fixture.call(.post, Self.path, .object(options)).status == 201)
            try await fixture.subscribe("http://127.0.0.1:9/", to: [.contentPosted])
            try await fixture.bring([.make("content_posted")])
            #expect(
                try await fixture.count(
                    "SELECT count(*) AS n FROM deliveries WHERE next_attempt_at BETWEEN now() + interval '50 min' AND now() + interval '61 min'"
                ) == 2
            )
            #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries WHERE next_attempt_at <= now()") == 1)
        }
    }

    @Test func aDeliveryCarriesTheCustomHeadersAndWhatTheTemplateMakes() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                var options = Self.options.objectValue ?? [:]
                options["webhook_url"] = .string(target.url())
                #expect(try await fixture.call(.post, Self.path, .object(options)).status == 201)
                try await fixture.delivering {
                    try await fixture.bring([
                        .make("content_posted", adding: ["content_id": 7, "platform": "linkedin"]),
                        .make("content_posted", adding: ["content_id": 8, "platform": "x"]),
                    ])
                    try await eventually("it came") { target.deliveries.count == 1 }
                }
                let delivery = target.deliveries[0]
                #expect(delivery.header("x-api-key") == "s3cret" && delivery.header("authorization") == "Bearer abc")
                #expect(try JSONValue(parsing: delivery.body) == ["text": "New on linkedin", "id": 7])
                let kinds = delivery.header("webhook-signature")?.split(separator: " ").map { $0.prefix { $0 != "," } }
                #expect(kinds == ["v1", "v1a"])
                // The other one was not wanted.
                #expect(try await fixture.count("SELECT count(*) AS n FROM delivery_log") == 1)
            }
        }
    }

    @Test func aTestReachesOnlyItsTargetAndIsNotTriedAgain() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                target.append(.status(500), to: "/a")
                let id = try await fixture.subscribe(target.url("/a"), to: [.campaignSent, .contentPosted]).id
                try await fixture.subscribe(target.url("/b"), to: [.contentPosted])
                #expect(try await fixture.call(.post, "\(Self.path)/\(id)/test", ["event": "order_created"]).faultPointers == ["/event"])
                let reply = try await fixture.call(.post, "\(Self.path)/\(id)/test", ["event": "content_posted"])
                #expect(reply.status == 202 && reply.json["cause"] == "test", "\(reply.json.text)")
                try await fixture.delivering {
                    try await eventually("it is settled") {
                        try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE cause = 'test' AND state = 'dead'") == 1
                    }
                }
                #expect(target.deliveries(to: "/a").count == 1 && target.deliveries(to: "/b").isEmpty)
                // A target may be tried long before it works.
                #expect(try await fixture.count("SELECT count(*) AS n FROM endpoint_states WHERE failing_since IS NOT NULL") == 0)
                let feed = try await fixture.call(.get, "/api/v1/webhooks/events?after=start")
                #expect(feed.json["data"] == [])
            }
        }
    }

    @Test func aPreviewShowsWhatATemplateMakesOfTheNewestEvent() async throws {
        try await Fixture.running { fixture in
            let body: JSONValue = ["event": "content_posted", "payload_template": #"{"text":"{{platform}}!"}"#]
            let example = try await fixture.call(.post, "/api/v1/webhooks/templates/preview", body, as: .viewer)
            #expect(example.status == 200, "\(example.json.text)")
            try await fixture.bring([.make("content_posted", adding: ["platform": "x \"y\""])])
            let real = try await fixture.call(.post, "/api/v1/webhooks/templates/preview", body)
            #expect(real.json["body"] == ["text": "x \"y\"!"])
            let faulty = try await fixture.call(.post, "/api/v1/webhooks/templates/preview", ["event": "x", "payload_template": 5])
            #expect(faulty.faultPointers.sorted() == ["/event", "/payload_template"])
        }
    }
}
