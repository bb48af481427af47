import Database
import HTTPTypes
import LocalStack
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Gateway

@Suite struct RateLimitTests {
    @Test func twoReplicasTogetherAdmitExactlyTheLimit() async throws {
        try await withGateway(.init(replicas: 2)) { gateway in
            let member = try await gateway.register()
            let (_, key) = try await gateway.key(of: member, [.organizationRead], limit: 50)
            let answers = try await withThrowingTaskGroup(of: TestDoor.Answer.self) { group in
                for number in 0..<64 {
                    let door = gateway.replicas[number % 2]
                    group.addTask { try await door.send("GET", "/api/v1/api/public/user", headers: [("X-API-Key", key)]) }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.count { $0.status == 200 } == 50)
            let refused = answers.filter { $0.status == 429 }
            #expect(refused.count == 14)
            let remaining = answers.filter { $0.status == 200 }.compactMap { $0.header("X-RateLimit-Remaining").flatMap(Int.init) }
            // Two answers may tell of the same moment, none of more than is left.
            #expect(remaining.allSatisfy { (0..<50).contains($0) })
            #expect(zip(remaining.sorted(by: >), 0...).allSatisfy { told, before in told <= 49 - before })
            for answer in refused {
                #expect(answer.header("Content-Type") == "application/problem+json")
                #expect(answer.json["type"] == "/problems/quota-exceeded")
                #expect(answer.json["violated-policies"] == ["hour"])
                let wait = try #require(answer.header("Retry-After").flatMap(Int.init))
                #expect((1...3_600).contains(wait))
                #expect(answer.header("RateLimit-Policy")?.hasPrefix("\"hour\";q=50;w=3600, \"organization\";q=10000;w=3600") == true)
                #expect(answer.header("RateLimit")?.hasPrefix("\"hour\";r=0;t=") == true)
                #expect(answer.header("X-RateLimit-Remaining") == "0")
            }
        }
    }

    @Test func headersStandOnEveryAnswerToAKey() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (_, key) = try await gateway.key(of: member, [.organizationRead])
            let forbidden = try await gateway.door.send("GET", "/api/v1/contacts", headers: [("X-API-Key", key)])
            #expect(forbidden.status == 403)
            #expect(forbidden.header("X-RateLimit-Limit") == "1000")
            #expect(forbidden.header("X-RateLimit-Remaining") == "999")
            let policies = "\"hour\";q=1000;w=3600, \"burst\";q=100;w=10, \"organization\";q=10000;w=3600"
            #expect(forbidden.header("RateLimit-Policy") == policies)
            let own = try await gateway.door.send("GET", "/api/v1/api/keys", headers: [("X-API-Key", key)])
            #expect(own.status == 403)
            #expect(own.header("X-RateLimit-Remaining") == "998")
            let member1 = try await gateway.door.send("GET", "/api/v1/auth/me", headers: member.bearer)
            #expect(member1.header("RateLimit-Policy") == "\"member\";q=1200;w=60")
        }
    }

    @Test func premiumOrganizationsGetTheirTier() async throws {
        try await withGateway(.init(variables: ["API_RATE_LIMIT_PREMIUM": "7777"])) { gateway in
            let member = try await gateway.register()
            let (_, key) = try await gateway.key(of: member, [.organizationRead])
            try await gateway.database.runtime.write("UPDATE organizations SET tier = 'premium' WHERE id = \(member.organization)")
            let answer = try await gateway.door.send("GET", "/api/v1/api/public/user", headers: [("X-API-Key", key)])
            #expect(answer.header("X-RateLimit-Limit") == "7777")
        }
    }

    @Test func costIsTakenWholeOrNotAtAll() async throws {
        try await withGateway { gateway in
            let limiter = RateLimiter(store: RateLimitStore(database: gateway.database.runtime), logger: TestLog.quiet)
            func limits(_ key: Int64) -> [Limit] {
                [Limit(subject: .key(OrganizationID(1), APIKeyID(key)), policy: .hour, units: 10)]
            }
            let first = try await limiter.take(7, from: limits(1))
            #expect(first.isAdmitted)
            #expect(first.standings.first?.remaining == 3)
            let second = try await limiter.take(4, from: limits(1))
            #expect(!second.isAdmitted)
            #expect(second.standings.first?.remaining == 3)
            #expect(try await limiter.take(3, from: limits(1)).standings.first?.remaining == 0)
            let tooLarge = try await limiter.take(11, from: limits(2))
            #expect(!tooLarge.isAdmitted)
            #expect(tooLarge.standings.first?.remaining == 10)
        }
    }

    @Test func whatOneLimitRefusesIsTakenFromNone() async throws {
        try await withGateway { gateway in
            let limiter = RateLimiter(store: RateLimitStore(database: gateway.database.runtime), logger: TestLog.quiet)
            let key = LimitSubject.key(OrganizationID(1), APIKeyID(1))
            let limits = [Limit(subject: key, policy: .hour, units: 100), Limit(subject: key, policy: .burst, units: 2)]
            for _ in 0..<2 { #expect(try await limiter.take(1, from: limits).isAdmitted) }
            for _ in 0..<20 { #expect(try await limiter.take(1, from: limits).violated == [.burst]) }
            let verdict = try await limiter.take(1, from: [limits[0]])
            // Of what was granted a unit or two may lapse on a slow machine; the twenty that were refused would be missed.
            #expect((90...97).contains(verdict.standings.first?.remaining ?? 0))
        }
    }

    @Test func aDryRunRefusesNobody() async throws {
        try await withGateway { gateway in
            let limiter = RateLimiter(store: RateLimitStore(database: gateway.database.runtime), logger: TestLog.quiet)
            let key = LimitSubject.key(OrganizationID(1), APIKeyID(1))
            let dry = Limit(subject: key, policy: .hourTrial, units: 1, isEnforced: false)
            for _ in 0..<20 {
                let verdict = try await limiter.take(1, from: [Limit(subject: key, policy: .hour, units: 100), dry])
                #expect(verdict.isAdmitted)
                await limiter.refresh()
            }
        }
    }

    @Test func manyReplicasAdmitTheWholeLimitAndNothingMore() async throws {
        try await withGateway { gateway in
            let store = RateLimitStore(database: gateway.database.runtime)
            let limit = Limit(subject: .key(OrganizationID(1), APIKeyID(1)), policy: .hour, units: 2_000)
            let admitted = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<3 {
                    let limiter = RateLimiter(store: store, logger: TestLog.quiet)
                    for _ in 0..<8 {
                        group.addTask {
                            var admitted = 0
                            var refusals = 0
                            while refusals < 50 {
                                if try await limiter.take(1, from: [limit]).isAdmitted { admitted += 1 } else { refusals += 1 }
                                await limiter.refresh()
                            }
                            return admitted
                        }
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(admitted <= 2_000)
            #expect(admitted >= 1_900)
        }
    }

    @Test func whatAReplicaGivesBackAnotherCanUse() async throws {
        try await withGateway { gateway in
            let store = RateLimitStore(database: gateway.database.runtime)
            let limit = Limit(subject: .key(OrganizationID(1), APIKeyID(1)), policy: .hour, units: 1_000)
            let first = RateLimiter(store: store, logger: TestLog.quiet)
            for _ in 0..<100 { _ = try await first.take(1, from: [limit]) }
            let held = first.load.held
            try await first.tidy(isLast: true)
            #expect(first.load.held == 0)
            let used = try await gateway.database.runtime.readFirst("SELECT used FROM rate_limit_windows", as: Int64.self)
            #expect(used == 100, "held before: \(held)")
        }
    }

    @Test func anAddressThatGuessesIsToldToWaitAndItsNeighbourWithAKeyIsNot() async throws {
        try await withGateway(.init(variables: ["ADDRESS_RATE_LIMIT": "10"])) { gateway in
            let member = try await gateway.register()
            let (_, key) = try await gateway.key(of: member, [.organizationRead])
            var statuses: [Int] = []
            for _ in 0..<12 {
                let guess = try TokenFormat.liveKey.make().reveal()
                let answer = try await gateway.door.send("GET", "/api/v1/api/public/user", headers: [("X-API-Key", guess)])
                statuses.append(answer.status)
            }
            #expect(statuses == Array(repeating: 401, count: 10) + Array(repeating: 429, count: 2))
            #expect(try await gateway.door.send("POST", "/api/v1/auth/login", body: ["email": "a@b.example"]).status == 429)
            #expect(try await gateway.door.send("GET", "/api/v1/api/public/user", headers: [("X-API-Key", key)]).status == 200)
        }
    }

    @Test func withoutPostgresEachPolicyDoesWhatItSays() async throws {
        var configuration = DatabaseConfiguration(
            url: Secret("postgres://nobody@127.0.0.1:1/none"),
            schema: "gateway",
            applicationName: "test"
        )
        configuration.waitLimit = .milliseconds(50)
        let limiter = RateLimiter(store: RateLimitStore(database: Postgres(configuration, logger: TestLog.quiet)), logger: TestLog.quiet)
        for policy in LimitPolicy.allCases {
            let limit = Limit(subject: .key(OrganizationID(1), APIKeyID(1)), policy: policy, units: 3)
            switch policy.failing {
            case .closed:
                await #expect("\(policy)") { try await limiter.take(1, from: [limit]) } throws: { ($0 as? Problem)?.kind == .unavailable }
            case .local:
                for number in 0..<5 {
                    #expect(try await limiter.take(1, from: [limit]).isAdmitted == (number < 3), "\(policy) \(number)")
                }
            }
        }
    }

    @Test func withoutPostgresADryRunRefusesNobody() async throws {
        var configuration = DatabaseConfiguration(
            url: Secret("postgres://nobody@127.0.0.1:1/none"),
            schema: "gateway",
            applicationName: "test"
        )
        configuration.waitLimit = .milliseconds(50)
        let limiter = RateLimiter(store: RateLimitStore(database: Postgres(configuration, logger: TestLog.quiet)), logger: TestLog.quiet)
        let key = LimitSubject.key(OrganizationID(1), APIKeyID(1))
        let watched = LimitPolicy.allCases.map { Limit(subject: key, policy: $0, units: 1, isEnforced: false) }
        let member = Limit(subject: .member(OrganizationID(1), UserID(1)), policy: .member, units: 2)
        for number in 0..<4 {
            #expect(try await limiter.take(1, from: watched + [member]).isAdmitted == (number < 2), "\(number)")
        }
    }

    @Test func theRunWithoutPostgresExpectsWhatEachPolicySays() {
        for policy in LimitPolicy.allCases {
            let says: AwayRun.Says =
                switch policy.failing {
                case .closed: .closed
                case .local: .local
                }
            #expect(AwayRun.says[policy.rawValue] == says, "\(policy)")
        }
        #expect(AwayRun.says.count == LimitPolicy.allCases.count)
    }

    @Test func withoutItsDatabaseTheGatewayFailsClosed() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (_, key) = try await gateway.key(of: member, [.organizationRead])
            try await gateway.database.owner.write("ALTER TABLE rate_limit_windows RENAME TO elsewhere")
            let answer = try await gateway.door.send("GET", "/api/v1/contacts", headers: [("X-API-Key", key)])
            #expect(answer.status == 503)
        }
        var configuration = DatabaseConfiguration(
            url: Secret("postgres://nobody@127.0.0.1:1/none"),
            schema: "gateway",
            applicationName: "test"
        )
        configuration.waitLimit = .milliseconds(200)
        let away = Postgres(configuration, logger: TestLog.quiet)
        let store = CredentialStore(database: away, limits: LimitSettings(SettingsReader(environment: [:])))
        let authenticator = Authenticator(cache: CredentialCache(capacity: 2, lifetime: .seconds(1)), store: store)
        let token = try TokenFormat.liveKey.make().reveal()
        await #expect { try await authenticator.identify([.authorization: "Bearer \(token)"]) } throws: {
            ($0 as? Problem)?.kind == .unavailable && ($0 as? Problem)?.retryAfter != nil
        }
        // What is mistyped needs no database to be refused.
        await #expect(throws: Credential.refused) { try await authenticator.identify([.authorization: "Bearer \(token)x"]) }
    }
}
