import Database
import Foundation
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Gateway

@Suite struct QuotaWarningTests {
    private func crossings(_ gateway: TestGateway) async throws -> [String] {
        try await gateway.database.runtime.read(
            "SELECT subject || ' ' || policy || ' ' || threshold FROM quota_crossings ORDER BY subject, policy, threshold",
            as: String.self
        )
    }

    private func events(_ gateway: TestGateway) async throws -> [JSONValue] {
        try await gateway.database.runtime.read(
            "SELECT body FROM outbox WHERE destination = 'webhooks' AND body->>'type' = 'api_key_quota_warning' ORDER BY id",
            as: JSONValue.self
        )
    }

    /// One request after the other, from both replicas at once.
    private func ask(_ gateway: TestGateway, _ key: String, _ times: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<times {
                let door = gateway.replicas[number % gateway.replicas.count]
                group.addTask { _ = try await door.send("GET", "/api/v1/api/public/user", headers: [("X-API-Key", key)]) }
            }
            try await group.waitForAll()
        }
    }

    @Test func twoReplicasThatCrossAThresholdTogetherTellOnce() async throws {
        try await withGateway(.init(replicas: 2, runsWorkers: true)) { gateway in
            let owner = try await gateway.owner()
            let (id, key) = try await gateway.key(of: owner, [.organizationRead], limit: 50)
            try await self.ask(gateway, key, 39)
            #expect(try await self.crossings(gateway) == [])
            try await self.ask(gateway, key, 6)
            #expect(try await self.crossings(gateway) == ["key:\(id) hour 80"])
            try await eventually("80 % are told") { try await gateway.noticeMails(to: owner).count == 1 }
            try await self.ask(gateway, key, 20)
            try await eventually("100 % are told") { try await gateway.noticeMails(to: owner).count == 2 }
            #expect(try await self.crossings(gateway) == ["key:\(id) hour 80", "key:\(id) hour 100"])
            let feed = try await gateway.feed(owner)
            #expect(feed.map { $0["kind"] } == ["quota_reached", "quota_warning"])
            #expect(feed.map { $0["count"] } == [1, 1])
            #expect(feed.last?["title"] == "The API key “test” has used 80 % of the hourly limit")
            #expect(feed.last?["subject"] == ["type": "api_key", "id": .string(String(id)), "name": "test"])
            let events = try await self.events(gateway)
            #expect(events.count == 2)
            let data = try #require(events.first?["data"])
            #expect(data["api_key_id"]?.integerValue == id && data["name"] == "test" && data["policy"] == "hour")
            // As the event catalogue of webhooks describes it.
            let members = ["api_key_id", "limit", "name", "policy", "threshold", "used", "window_ends_at", "window_started_at"]
            #expect(data.objectValue?.keys.sorted() == members)
            #expect(data["threshold"] == 80 && data["limit"] == 50)
            #expect((40...45).contains(data["used"]?.integerValue ?? 0))
        }
    }

    @Test func eachHourIsAnEventAndEachDayAMail() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            let (id, _) = try await gateway.key(of: owner, [.organizationRead])
            let limit = Limit(subject: .key(owner.organization, APIKeyID(id)), policy: .hour, units: 10)
            let teller = try self.teller(gateway)
            let store = RateLimitStore(database: gateway.database.runtime)
            for _ in 0..<3 {
                _ = try await store.grant([.init(limit: limit, wanted: 8)])
                for crossing in try await teller.crossings.due(10) { try await teller.tell(crossing) }
                // The next hour.
                for table: Query in ["rate_limit_windows", "quota_crossings"] {
                    try await gateway.database.runtime.write("UPDATE " + table + " SET window_start = window_start - INTERVAL '1 hour'")
                }
            }
            #expect(try await self.events(gateway).count == 3)
            #expect(try await gateway.feed(owner).map { $0["count"] } == [3])
            #expect(try await gateway.noticeMails(to: owner).count == 1)
        }
    }

    @Test func aThresholdIsCrossedOnceInAWindowWhateverIsGivenBack() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.owner()
            let store = RateLimitStore(database: gateway.database.runtime)
            let limit = Limit(subject: .organization(owner.organization), policy: .organization, units: 100)
            let grants = try await store.grant([.init(limit: limit, wanted: 79)])
            #expect(try await self.crossings(gateway) == [])
            let window = try #require(grants[limit.counter]?.windowStart)
            for _ in 0..<3 {
                _ = try await store.grant([.init(limit: limit, wanted: 2)])
                try await store.giveBack([.init(counter: limit.counter, units: 2, windowStart: window)])
            }
            #expect(try await self.crossings(gateway) == ["organization organization 80"])
            // 81 are granted; who lowers the limit below that has reached it with the next question.
            let lowered = Limit(subject: limit.subject, policy: limit.policy, units: 50)
            for _ in 0..<2 { _ = try await store.grant([.init(limit: lowered, wanted: 1)]) }
            #expect(try await self.crossings(gateway) == ["organization organization 80", "organization organization 100"])
            let teller = try self.teller(gateway)
            let due = try await teller.crossings.due(10)
            #expect(due.count == 2)
            for crossing in due + due { try await teller.tell(crossing) }
            #expect(try await teller.crossings.due(10).isEmpty)
            let feed = try await gateway.feed(owner)
            #expect(feed.count == 2)
            #expect(feed.allSatisfy { $0["subject"]?["type"] == "organization" && $0["count"] == 1 })
            #expect(try await self.events(gateway).map { $0["data"]?["api_key_id"] } == [.null, .null])
        }
    }

    @Test func limitsThatRefuseNobodyAreNoNews() async throws {
        try await withGateway(.init(variables: ["RATE_LIMIT_DRY_RUN": "hour", "API_RATE_LIMIT_DEFAULT_TRIAL": "3"])) { gateway in
            let owner = try await gateway.owner()
            let (_, key) = try await gateway.key(of: owner, [.organizationRead], limit: 5)
            try await self.ask(gateway, key, 12)
            #expect(try await self.crossings(gateway) == [])
            for _ in 0..<3 { _ = try await gateway.get("/auth/me", owner) }
            #expect(try await self.crossings(gateway) == [])
        }
    }

    @Test func aKeyOfAnOrganizationThatIsGoneIsNotTold() async throws {
        try await withGateway { gateway in
            let store = RateLimitStore(database: gateway.database.runtime)
            let limit = Limit(subject: .key(OrganizationID(4711), APIKeyID(1)), policy: .hour, units: 1)
            _ = try await store.grant([.init(limit: limit, wanted: 1)])
            let teller = try self.teller(gateway)
            for crossing in try await teller.crossings.due(10) { try await teller.tell(crossing) }
            #expect(try await teller.crossings.due(10).isEmpty)
            #expect(try await self.events(gateway).isEmpty)
        }
    }

    private func teller(_ gateway: TestGateway) throws -> QuotaTeller {
        let database = gateway.database.runtime
        return QuotaTeller(
            crossings: QuotaCrossingStore(database: database),
            notices: NoticeStore(database: database, mails: gateway.gateways[0].mails, texts: MailTexts(publicURL: "https://gateway.test")),
            outbox: Outbox(service: .gateway, database: database),
            wake: WakeSignal(RateLimitStore.crossingWakeName, database: database),
            logger: TestLog.quiet
        )
    }
}
