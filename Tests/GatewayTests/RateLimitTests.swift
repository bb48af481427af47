import Database
import HTTPTypes
import Models
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
            #expect(Set(remaining) == Set(0..<50))
            for answer in refused {
                #expect(answer.header("Content-Type") == "application/problem+json")
                #expect(answer.json["type"] == "/problems/quota-exceeded")
                #expect(answer.json["violated-policies"] == ["default"])
                let wait = try #require(answer.header("Retry-After").flatMap(Int.init))
                #expect((1...3_600).contains(wait))
                #expect(answer.header("RateLimit-Policy") == "\"default\";q=50;w=3600")
                #expect(answer.header("RateLimit")?.hasPrefix("\"default\";r=0;t=") == true)
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
            #expect(forbidden.header("RateLimit-Policy") == "\"default\";q=1000;w=3600")
            let own = try await gateway.door.send("GET", "/api/v1/api/keys", headers: [("X-API-Key", key)])
            #expect(own.status == 403)
            #expect(own.header("X-RateLimit-Remaining") == "998")
            let member1 = try await gateway.door.send("GET", "/api/v1/auth/me", headers: member.bearer)
            #expect(member1.header("X-RateLimit-Limit") == nil)
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
            let member = try await gateway.register()
            let (id, _) = try await gateway.key(of: member, [.organizationRead])
            let limiter = RateLimiter(store: RateLimitStore(database: gateway.database.runtime))
            let quota = Quota(limit: 10)
            let first = try await limiter.take(7, from: quota, for: APIKeyID(id), of: member.organization)
            #expect(first.isAdmitted)
            #expect(first.remaining == 3)
            let second = try await limiter.take(4, from: quota, for: APIKeyID(id), of: member.organization)
            #expect(!second.isAdmitted)
            #expect(second.remaining == 3)
            #expect(try await limiter.take(3, from: quota, for: APIKeyID(id), of: member.organization).remaining == 0)
            let tooLarge = try await limiter.take(11, from: quota, for: APIKeyID(id + 1), of: member.organization)
            #expect(!tooLarge.isAdmitted)
            #expect(tooLarge.remaining == 10)
        }
    }

    @Test func withoutItsDatabaseTheGatewayFailsClosed() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (_, key) = try await gateway.key(of: member, [.organizationRead])
            try await gateway.database.owner.write("ALTER TABLE rate_limit_windows RENAME TO elsewhere")
            let answer = try await gateway.door.send("GET", "/api/v1/contacts", headers: [("X-API-Key", key)])
            #expect(answer.status == 500)
        }
        var configuration = DatabaseConfiguration(
            url: Secret("postgres://nobody@127.0.0.1:1/none"),
            schema: "gateway",
            applicationName: "test"
        )
        configuration.waitLimit = .milliseconds(200)
        let away = Postgres(configuration, logger: TestLog.quiet)
        let store = CredentialStore(database: away, limits: TierLimits(standard: 1, premium: 1))
        let authenticator = Authenticator(cache: CredentialCache(capacity: 2, lifetime: .seconds(1)), store: store)
        let token = try TokenFormat.liveKey.make().reveal()
        await #expect { try await authenticator.identify([.authorization: "Bearer \(token)"]) } throws: {
            ($0 as? Problem)?.kind == .unavailable && ($0 as? Problem)?.retryAfter != nil
        }
        // What is mistyped needs no database to be refused.
        await #expect(throws: Credential.refused) { try await authenticator.identify([.authorization: "Bearer \(token)x"]) }
    }
}
