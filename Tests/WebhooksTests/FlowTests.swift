import Database
import Foundation
import HTTPTypes
import Models
import TestSupport
import Testing

@testable import Webhooks

/// What holds deliveries back: order, rate, breaker, and the end of a failing subscription.
@Suite struct FlowTests {
    private static let path = "/api/v1/zapier/webhooks"

    private func subscribe(_ fixture: Fixture, _ url: String, _ options: [String: JSONValue]) async throws -> Int64 {
        let body = options.merging(["webhook_url": .string(url), "trigger_event": "content_posted"]) { $1 }
        let reply = try await fixture.call(.post, Self.path, .object(body))
        return try #require(reply.json["id"]?.integerValue, "\(reply.json.text)")
    }

    private func post(_ number: Int, of key: Int) -> EventBatch.Entry {
        .make("content_posted", adding: ["content_id": .integer(Int64(key)), "platform": .string("\(number)")])
    }

    private func platforms(_ target: Target) throws -> [(key: Int64, number: Int)] {
        try target.deliveries.map { delivery in
            let data = try JSONValue(parsing: delivery.body)["data"]
            return (data?["content_id"]?.integerValue ?? 0, Int(data?["platform"]?.stringValue ?? "") ?? -1)
        }
    }

    @Test func eventsOfOneOrderingKeyGoOneAfterTheOtherAlsoOverFailures() async throws {
        try await Target.running { target in
            try await Fixture.running(.init(schedule: "0,0.05,0.05,0.05")) { fixture in
                target.append(.status(500))
                target.append(.status(200))
                target.append(.status(500))
                target.append(.status(200))
                _ = try await self.subscribe(fixture, target.url(), ["ordering_key": "content_id"])
                try await fixture.delivering {
                    try await fixture.bring((0..<10).map { self.post($0, of: 1) })
                    try await fixture.bring((0..<10).map { self.post($0, of: 2) })
                    try await eventually("all are done", within: .seconds(30)) {
                        try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE state = 'succeeded'") == 20
                    }
                }
                let seen = try self.platforms(target)
                for key: Int64 in [1, 2] {
                    let numbers = seen.filter { $0.key == key }.map(\.number)
                    #expect(numbers == numbers.sorted(), "\(numbers)")
                    #expect(Set(numbers).count == 10)
                }
            }
        }
    }

    @Test func aDeadDeliveryLetsTheNextOfItsKeyGo() async throws {
        try await Target.running { target in
            try await Fixture.running(.init(schedule: "0")) { fixture in
                target.append(.status(500))
                target.append(.status(200))
                _ = try await self.subscribe(fixture, target.url(), ["ordering_key": "content_id"])
                try await fixture.bring([self.post(0, of: 1), self.post(1, of: 1)])
                #expect(try await fixture.count("SELECT count(*) AS n FROM deliveries WHERE next_attempt_at = 'infinity'") == 1)
                try await fixture.delivering {
                    try await eventually("both are settled") {
                        try await fixture.count("SELECT count(*) AS n FROM settled_deliveries") == 2
                    }
                }
            }
        }
    }

    @Test func anEventThatComesWhileItsForerunnerIsBeingSettledIsNotForgotten() async throws {
        try await Target.running { target in
            try await Fixture.running { fixture in
                _ = try await self.subscribe(fixture, target.url(), ["ordering_key": "content_id"])
                try await fixture.delivering {
                    for number in 0..<60 { try await fixture.bring([self.post(number, of: 1)]) }
                    try await eventually("all are done", within: .seconds(30)) {
                        try await fixture.count("SELECT count(*) AS n FROM settled_deliveries WHERE state = 'succeeded'") == 60
                    }
                }
                #expect(try self.platforms(target).map(\.number) == Array(0..<60))
            }
        }
    }

    @Test func aRateIsNotExceeded() async throws {
        try await Fixture.running(.init(perSubscription: 100)) { fixture in
            _ = try await self.subscribe(fixture, "http://127.0.0.1:9/", ["rate_limit": 5])
            try await fixture.bring((0..<40).map { self.post($0, of: $0) })
            let queue = fixture.parts.worker.queue
            let start = ContinuousClock.now
            var claimed = try await queue.claim(100).deliveries.count
            #expect(claimed == 5)
            for _ in 0..<5 { claimed += try await queue.claim(100).deliveries.count }
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            #expect(Double(claimed) <= 5 * (1 + seconds) + 1)
        }
    }

    @Test func anOpenBreakerLetsOneProbeThroughAndASuccessOpensTheLane() async throws {
        try await Target.running { target in
            try await Fixture.running(.init(schedule: "0", perSubscription: 4)) { fixture in
                target.append(.status(500))
                let id = try await self.subscribe(fixture, target.url(), [:])
                try await fixture.bring((0..<30).map { self.post($0, of: $0) })
                try await fixture.delivering {
                    try await eventually("the breaker is open") {
                        try await fixture.count("SELECT count(*) AS n FROM endpoint_states WHERE breaker_is_open AND not_before > now()")
                            == 1
                    }
                    try await eventually("what was under way has ended") {
                        try await fixture.count("SELECT count(*) AS n FROM deliveries WHERE state = 'delivering'") == 0
                    }
                    let tried = target.deliveries.count
                    #expect((10...14).contains(tried))
                    let health = try await fixture.call(.get, "\(Self.path)/\(id)/health")
                    #expect(health.json["condition"] == "resting" && health.json["last_error"] == "http_500", "\(health.json.text)")
                    try await Task.sleep(for: .milliseconds(300))
                    #expect(target.deliveries.count == tried)
                    // The rest is over; one probe fails, and it is closed again.
                    try await fixture.database.runtime.write("UPDATE endpoint_states SET not_before = now()")
                    try await eventually("it was probed") { target.deliveries.count == tried + 1 }
                    try await eventually("it rests again") {
                        try await fixture.count("SELECT count(*) AS n FROM endpoint_states WHERE trips = 2 AND not_before > now()") == 1
                    }
                    target.append(.status(200))
                    try await eventually("nothing waits", within: .seconds(20)) {
                        try await fixture.database.runtime.write("UPDATE endpoint_states SET not_before = now() WHERE breaker_is_open")
                        return try await fixture.count("SELECT count(*) AS n FROM deliveries") == 0
                    }
                }
                #expect(try await fixture.call(.get, "\(Self.path)/\(id)/health").json["failing_since"] == .null)
            }
        }
    }

    @Test func fiveDaysWithoutASuccessDisableItAndMembersAreTold() async throws {
        try await Target.running { target in
            try await Fixture.running(.init(schedule: "0,0.01")) { fixture in
                target.append(.status(500), to: "/dead")
                let id = try await self.subscribe(fixture, target.url("/dead"), [:])
                try await fixture.subscribe(target.url("/watch"), to: [.webhookDisabled])
                try await fixture.database.runtime.write(
                    "UPDATE endpoint_states SET failing_since = now() - interval '5 days', told_at_percent = 90 WHERE subscription_id = \(id)"
                )
                try await fixture.bring([self.post(1, of: 1)])
                try await fixture.delivering {
                    try await eventually("the watcher is told") { target.deliveries(to: "/watch").count == 1 }
                }
                let shown = try await fixture.call(.get, "\(Self.path)/\(id)")
                #expect(shown.json["state"] == "disabled" && shown.json["disabled_reason"] == "failing")
                let data = try JSONValue(parsing: target.deliveries(to: "/watch")[0].body)["data"]
                #expect(data?["reason"] == "failing" && data?["subscription_id"] == .integer(id))
                #expect(
                    try await fixture.count(
                        "SELECT count(*) AS n FROM outbox WHERE destination = 'gateway' AND body->>'title' LIKE '%was disabled'"
                    ) == 1
                )
                try await fixture.bring([self.post(2, of: 2)])
                #expect(try await fixture.count("SELECT count(*) AS n FROM delivery_log WHERE subscription_id = \(id)") == 1)
                #expect(try await fixture.call(.post, "\(Self.path)/\(id)/resume").json["state"] == "active")
                #expect(try await fixture.count("SELECT count(*) AS n FROM endpoint_states WHERE failing_since IS NOT NULL") == 0)
            }
        }
    }

    @Test func anOrganizationWithManyLanesDoesNotTakeAllTurns() async throws {
        try await Fixture.running(.init(perSubscription: 2)) { fixture in
            for number in 0..<20 { try await fixture.subscribe("http://127.0.0.1:9/\(number)") }
            try await fixture.subscribe("http://127.0.0.1:9/", in: OrganizationID(2))
            try await fixture.bring((0..<20).map { _ in .make() } + (0..<4).map { _ in .make(in: OrganizationID(2)) })
            let first = try await fixture.parts.worker.queue.claim(8).deliveries
            #expect(first.filter { $0.organizationID == OrganizationID(2) }.count == 2)
            #expect(first.count == 6)
        }
    }

    /// In flight before it slowed down: more than it may have now.
    @Test func aTargetThatMayHaveLessThanItHasGetsNothingMore() async throws {
        try await Fixture.running(.init(perSubscription: 4)) { fixture in
            try await fixture.subscribe("http://127.0.0.1:9/")
            try await fixture.bring((0..<8).map { _ in .make() })
            let queue = fixture.parts.worker.queue
            #expect(try await queue.claim(3).deliveries.count == 3)
            try await fixture.database.runtime.write("UPDATE endpoint_states SET in_flight_limit = 1")
            #expect(try await queue.claim(10).deliveries.isEmpty)
        }
    }

    @Test func anOrganizationHasNoMoreUnderWayThanItMay() async throws {
        try await Fixture.running { fixture in
            for number in 0..<10 { try await fixture.subscribe("http://127.0.0.1:9/\(number)") }
            try await fixture.bring((0..<4).map { _ in .make() })
            let parts = fixture.parts
            let queue = DeliveryQueue(
                database: fixture.database.runtime,
                endpoints: EndpointCache(database: fixture.database.runtime, vault: parts.vault),
                caps: DeliveryQueue.Caps(perSubscription: 4, perOrganization: 6),
                lease: 30
            )
            #expect(try await queue.claim(100).deliveries.count == 6)
            #expect(try await queue.claim(100).deliveries.isEmpty)
        }
    }
}
