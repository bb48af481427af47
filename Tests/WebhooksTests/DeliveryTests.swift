import Database
import Foundation
import HTTPTypes
import Models
import TestSupport
import Testing

@testable import Webhooks

@Suite struct DeliveryTests {
    /// One event to one subscription of a target, delivered until it is settled.
    private func deliver(
        _ answers: [Target.Answer],
        _ settings: Fixture.Settings = Fixture.Settings(),
        _ check: @Sendable (Fixture, Target, JSONValue) async throws -> Void
    ) async throws {
        try await Target.running { target in
            try await Fixture.running(settings) { fixture in
                for answer in answers { target.append(answer) }
                try await fixture.subscribe(target.url())
                try await fixture.delivering {
                    try await fixture.bring([.make()])
                    try await eventually("the delivery is settled") {
                        try await fixture.count("SELECT count(*) AS n FROM delivery_log WHERE settled_at IS NOT NULL") == 1
                    }
                    let list = try await fixture.call(.get, "/api/v1/webhooks/deliveries", as: .viewer)
                    let id = list.json["data"]?.arrayValue?.first?["id"]?.integerValue ?? 0
                    let delivery = try await fixture.call(.get, "/api/v1/webhooks/deliveries/\(id)", as: .viewer)
                    #expect(delivery.status == 200)
                    try await check(fixture, target, delivery.json)
                }
            }
        }
    }

    @Test func bringsTheSignedEvent() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                let secret = try await fixture.subscribe(target.url("/in?a=b"), to: [.contentPosted]).secret
                let entry = EventBatch.Entry.make(
                    EventType.contentPosted.rawValue,
                    data: ["content_id": 7, "platform": "ü \"x\"", "n": 1.5, "list": [1, nil]]
                )
                try await fixture.delivering {
                    try await fixture.bring([entry])
                    try await eventually("the webhook came") { !target.deliveries.isEmpty }
                }
                let delivery = try #require(target.deliveries.first)
                let id = entry.event.id
                #expect(
                    String(decoding: delivery.body, as: UTF8.self)
                        == #"{"id":"\#(id)","type":"content_posted","timestamp":"2025-11-24T16:00:00.500Z","data":{"content_id":7,"list":[1,null],"n":1.5,"platform":"ü \"x\""}}"#
                )
                #expect(delivery.header("webhook-id") == id)
                #expect(delivery.header("content-type") == "application/json")
                #expect(delivery.header("user-agent") == "Switchboard-Webhooks/1")
                #expect(delivery.header("traceparent")?.hasPrefix("00-\(id.dropFirst(4))-") == true)
                let timestamp = try #require(delivery.header("webhook-timestamp").flatMap(Int64.init))
                #expect(abs(Double(timestamp) - Date().timeIntervalSince1970) < 60)
                let key = try #require(WebhookSecret(Secret(secret)))
                let expected = try WebhookSignature.header(id: id, timestamp: timestamp, body: delivery.body, secrets: [key])
                #expect(delivery.header("webhook-signature") == expected)
            }
        }
    }

    @Test func isTriedAgainWithTheSameIDUntilItIsTaken() async throws {
        try await self.deliver([.status(500, body: "broken \u{7}"), .status(200, body: "thanks")]) { _, target, delivery in
            #expect(delivery["state"] == "succeeded")
            #expect(delivery["attempt_count"] == 2)
            let attempts = delivery["attempts"]?.arrayValue ?? []
            #expect(attempts.map { $0["status"] } == [500, 200])
            #expect(attempts.map { $0["error"] } == ["http_500", .null])
            #expect(attempts.map { $0["response_excerpt"] } == ["broken  ", "thanks"])
            #expect(Set(target.deliveries.compactMap { $0.header("webhook-id") }).count == 1)
            #expect(Set(target.deliveries.map(\.body)).count == 1)
        }
    }

    @Test func isDeadAfterTheLastAttempt() async throws {
        try await self.deliver([.status(503)]) { _, target, delivery in
            #expect(delivery["state"] == "dead")
            #expect(delivery["last_error"] == "http_503")
            #expect(delivery["attempt_count"] == 3)
            #expect(target.deliveries.count == 3)
        }
    }

    @Test func aGoneTargetEndsTheSubscriptionAndWhatWaitsForIt() async throws {
        try await Target.running { target in
            try await Fixture.running(.init(perSubscription: 1)) { fixture in
                target.append(.status(410))
                let id = try await fixture.subscribe(target.url()).id
                let watcher = try await fixture.subscribe(target.url("/watch"), to: [.webhookDisabled]).id
                try await fixture.bring([.make(), .make(), .make()])
                try await fixture.delivering {
                    try await eventually("all are settled") {
                        try await fixture.count("SELECT count(*) AS n FROM delivery_log WHERE state = 'dead'") == 3
                    }
                }
                #expect(try await fixture.call(.get, "/api/v1/zapier/webhooks/\(id)").status == 404)
                try await fixture.delivering {
                    try await eventually("the other subscription is told") { target.deliveries.count == 2 }
                }
                let data = try JSONValue(parsing: target.deliveries[1].body)["data"]
                #expect(data?["subscription_id"] == .integer(id))
                #expect(EventCheck.faults(of: data ?? .null, as: .webhookDisabled).isEmpty)
                let told = try await fixture.count(
                    """
                    SELECT count(*) AS n FROM outbox WHERE destination = 'gateway' AND body->>'kind' = 'webhook_disabled'
                        AND body->>'title' LIKE 'The webhook to http%/*** was ended'
                    """
                )
                #expect(told == 1)
                try await fixture.bring([.make()])
                let more = try await fixture.count("SELECT count(*) AS n FROM delivery_log WHERE subscription_id <> \(watcher)")
                #expect(more == 3)
            }
        }
    }

    @Test func aRedirectIsAFailureAndNotFollowed() async throws {
        try await Target.running { elsewhere in
            try await self.deliver([.status(302, headers: ["Location": elsewhere.url()])]) { _, _, delivery in
                #expect(delivery["state"] == "dead")
                #expect(delivery["last_error"] == "http_302")
                #expect(elsewhere.deliveries.isEmpty)
            }
        }
    }

    @Test func aHangingTargetTimesOut() async throws {
        try await self.deliver([.hang, .status(200)], .init(schedule: "0,0.05,0.05,0.05,0.05,0.05", timeout: .seconds(1))) {
            _,
            _,
            delivery in
            #expect(delivery["state"] == "succeeded")
            let first = delivery["attempts"]?.arrayValue?.first
            #expect(first?["error"] == "timeout")
            #expect(first?["status"] == .null)
            #expect((950...20_000).contains(first?["duration_ms"]?.integerValue ?? 0))
        }
    }

    @Test func anEndlessBodyIsStillSuccess() async throws {
        try await self.deliver([.endlessBody]) { _, target, delivery in
            #expect(delivery["state"] == "succeeded")
            #expect(delivery["attempts"]?.arrayValue?.first?["response_excerpt"]?.stringValue?.utf8.count == 1024)
            #expect(target.deliveries.count == 1)
        }
    }

    @Test func aBrokenBodyIsStillSuccess() async throws {
        try await self.deliver([.brokenBody]) { _, target, delivery in
            #expect(delivery["state"] == "succeeded")
            #expect(target.deliveries.count == 1)
        }
    }

    @Test func retryAfterPutsOffTheNextAttempt() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                target.append(.status(429, headers: ["Retry-After": "3600"]))
                try await fixture.subscribe(target.url())
                try await fixture.delivering {
                    try await fixture.bring([.make()])
                    try await eventually("the first attempt is over") {
                        try await fixture.count("SELECT count(*) AS n FROM deliveries WHERE history IS NOT NULL") == 1
                    }
                }
                #expect(
                    try await fixture.count(
                        "SELECT count(*) AS n FROM deliveries WHERE state = 'pending' AND next_attempt_at > now() + interval '3500 seconds'"
                    ) == 1
                )
            }
        }
    }

    /// Allowed when it was made, refused by the time of the delivery: the address is vetted at the connection.
    @Test func theGuardIsThereAtEveryDelivery() async throws {
        try await Target.running { target in
            try await Fixture.running(.init(allow: "10.0.0.0/8")) { fixture in
                let id = try await fixture.subscribe("http://10.1.1.1/").id
                let vault = fixture.parts.vault
                let sealed = try vault.seal(Secret(target.url()), .targetURL, of: SubscriptionID(id), in: OrganizationID(1))
                try await fixture.database.runtime.write("UPDATE zapier_webhooks SET target_url = \(sealed) WHERE id = \(id)")
                try await fixture.bring([.make()])
                let delivery = try #require(try await fixture.parts.worker.queue.claim(1).deliveries.first)
                let result = try await fixture.parts.worker.sender.attempt(delivery)
                #expect(result.failure?.rawValue == "refused_address")
                #expect(target.deliveries.isEmpty)
            }
        }
    }

    @Test func failuresInTheLogNameNoTarget() async throws {
        try await Target.running { target in
            try await Fixture.running(.init(schedule: "0")) { fixture in
                target.append(.status(500), to: "/a-secret-path")
                let secret = try await fixture.subscribe(target.url("/a-secret-path")).secret
                try await fixture.delivering {
                    try await fixture.bring([.make()])
                    try await eventually("it is dead") { fixture.log.text.contains("Delivery attempt failed") }
                }
                #expect(!fixture.log.text.contains("a-secret-path"))
                #expect(!fixture.log.text.contains(secret.dropFirst(6)))
            }
        }
    }
}
