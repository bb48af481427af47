import Database
import Models
import TestSupport
import Testing

@testable import Gateway

@Suite struct SignInLimitTests {
    private static let home = "198.51.100.7"

    private func register(_ gateway: TestGateway) async throws -> TestMember {
        let answer = try await gateway.door.send(
            "POST",
            "/api/v1/auth/register",
            headers: [("X-Forwarded-For", Self.home)],
            body: TestGateway.registration("ada@example.com")
        )
        return try TestGateway.member(answer.json, "ada@example.com")
    }

    /// Wrong sign-ins from a network of their own, until they are slowed.
    private func guess(_ gateway: TestGateway, _ email: String, from address: String, tries: Int) async throws -> [TestDoor.Answer] {
        var answers: [TestDoor.Answer] = []
        for _ in 0..<tries { answers.append(try await gateway.login(email, "wrong password", from: address)) }
        return answers
    }

    @Test func strangersSlowEachOtherAndNotTheUserAtHome() async throws {
        try await withGateway(TestGateway.proxied) { gateway in
            _ = try await self.register(gateway)
            try await gateway.guess("ada@example.com", from: ["203.0.113.1", "203.0.113.2"], tries: 10)
            // Whoever comes from a third network finds the account's budget for strangers spent, with the right password too.
            let guessed = try await gateway.login("ADA@example.com", from: "203.0.113.3")
            #expect(guessed.status == 429)
            #expect(guessed.json["type"] == "/problems/too-many-attempts")
            let wait = try #require(guessed.header("Retry-After").flatMap { Int($0) })
            #expect((1...AttemptRule.account.interval).contains(wait))
            #expect(try await gateway.login("ada@example.com", from: Self.home).status == 200)
            // The user who comes from a new network is slowed, not locked: one attempt is back after the interval.
            try await gateway.database.runtime.write("UPDATE attempt_limits SET spent_until = spent_until - make_interval(secs => 31)")
            #expect(try await gateway.login("ada@example.com", from: "203.0.113.3").status == 200)
            // And at home there now.
            _ = try await self.guess(gateway, "ada@example.com", from: "203.0.113.4", tries: 2)
            #expect(try await gateway.login("ada@example.com", from: "203.0.113.3").status == 200)
        }
    }

    @Test func unknownAddressesAreLimitedAndAnsweredAsKnownOnes() async throws {
        try await withGateway(TestGateway.proxied) { gateway in
            _ = try await self.register(gateway)
            try await gateway.guess("ada@example.com", from: ["203.0.113.1"], tries: 7)
            let known = try await self.guess(gateway, "ada@example.com", from: "203.0.113.1", tries: 5)
            try await gateway.guess("nobody@example.com", from: ["203.0.113.2"], tries: 7)
            let unknown = try await self.guess(gateway, "nobody@example.com", from: "203.0.113.2", tries: 5)
            #expect(known.map(\.status) == [401, 401, 401, 429, 429])
            #expect(known.map(\.status) == unknown.map(\.status))
            for (one, other) in zip(known, unknown) {
                #expect(AccountTests.withoutRequestID(one.json) == AccountTests.withoutRequestID(other.json))
                #expect((one.header("Retry-After") == nil) == (other.header("Retry-After") == nil))
            }
            let keys = try await gateway.database.runtime.read("SELECT key FROM attempt_limits", as: String.self)
            #expect(!keys.isEmpty && keys.allSatisfy { $0.count == 64 && !$0.contains("@") })
        }
    }

    @Test func rightPasswordsCostNothing() async throws {
        try await withGateway(TestGateway.proxied) { gateway in
            _ = try await self.register(gateway)
            for _ in 0..<3 { #expect(try await gateway.login("ada@example.com", from: "203.0.113.1").status == 200) }
            let spent = try await gateway.database.runtime.readFirst(
                // The registration stays counted.
                "SELECT COUNT(*) FROM attempt_limits WHERE spent_until > now() + INTERVAL '37 seconds'",
                as: Int64.self
            )
            #expect(spent == 0)
        }
    }

    @Test func oneNetworkCannotTryAllAccounts() async throws {
        try await withGateway(TestGateway.proxied) { gateway in
            #expect(try await gateway.login("user0@example.com", "wrong password", from: "2001:db8::1").status == 401)
            let rule = AttemptRule.network
            try await gateway.database.runtime.write(
                "UPDATE attempt_limits SET spent_until = now() + make_interval(secs => \(rule.burst * rule.interval))"
            )
            #expect(try await gateway.login("user1@example.com", "wrong password", from: "2001:db8::2").status == 429)
            #expect(try await gateway.login("user1@example.com", "wrong password", from: "2001:db8:0:1::1").status == 401)
        }
    }

    @Test func manyAtOnceAreCountedOneByOne() async throws {
        try await withGateway(TestGateway.proxied) { gateway in
            let attempts = AttemptStore(database: gateway.database.runtime)
            let budget = AttemptBudget(rule: AttemptRule(name: "test", burst: 5, interval: 60), key: "k")
            let admitted = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<20 {
                    group.addTask { (try? await attempts.charge([budget, AttemptBudget(rule: .network, key: "n")])) != nil }
                }
                return await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(admitted == 5)
        }
    }

    @Test func registrationsOfOneNetworkAreLimited() async throws {
        try await withGateway(TestGateway.proxied) { gateway in
            let rule = AttemptRule.registration
            _ = try await self.register(gateway)
            try await gateway.database.runtime.write(
                "UPDATE attempt_limits SET spent_until = now() + make_interval(secs => \(rule.burst * rule.interval))"
            )
            let refused = try await gateway.door.send(
                "POST",
                "/api/v1/auth/register",
                headers: [("X-Forwarded-For", Self.home)],
                body: TestGateway.registration("bob@example.com")
            )
            #expect(refused.status == 429)
        }
    }

    @Test func sweeperKeepsWhatStillCounts() async throws {
        try await withGateway(TestGateway.proxied) { gateway in
            let member = try await self.register(gateway)
            _ = try await gateway.post("/invitations", member, ["email": "bob@example.com", "role": "viewer"])
            let sweeper = Sweeper(database: gateway.database.runtime, logger: TestLog.quiet)
            func counts() async throws -> String? {
                try await gateway.database.runtime.readFirst(
                    """
                    SELECT (SELECT COUNT(*) FROM attempt_limits) || ' ' || (SELECT COUNT(*) FROM known_networks) || ' '
                        || (SELECT COUNT(*) FROM user_tokens) || ' ' || (SELECT COUNT(*) FROM mails) || ' ' || (SELECT COUNT(*) FROM invitations)
                    """,
                    as: String.self
                )
            }
            try await sweeper.sweep()
            #expect(try await counts() == "2 1 1 2 1")
            let outdated: [Query] = [
                "UPDATE attempt_limits SET spent_until = now() - INTERVAL '1 second'",
                "UPDATE known_networks SET signed_in_at = now() - INTERVAL '91 days'",
                "UPDATE user_tokens SET expires_at = now() - INTERVAL '1 second'",
                "UPDATE mails SET state = 'sent', body = NULL, settled_at = now() - INTERVAL '8 days'",
                "UPDATE invitations SET expires_at = now() - INTERVAL '31 days'",
            ]
            for statement in outdated { try await gateway.database.runtime.write(statement) }
            try await sweeper.sweep()
            #expect(try await counts() == "0 0 0 0 0")
        }
    }

    @Test func networkIsAnAddressOrASixtyFour() {
        #expect(ClientNetwork("2001:db8::1") == ClientNetwork("2001:db8::ffff"))
        #expect(ClientNetwork("2001:db8::1") != ClientNetwork("2001:db8:0:1::1"))
        #expect(ClientNetwork("192.0.2.1") != ClientNetwork("192.0.2.2"))
        #expect(ClientNetwork("::ffff:192.0.2.1") == ClientNetwork("192.0.2.1"))
        #expect(ClientNetwork(nil) == ClientNetwork("nonsense"))
    }

    @Test func shareOfTheHashingQueueIsBounded() async throws {
        let share = HashingShare()
        let network = ClientNetwork("192.0.2.1")
        try await self.hold(share, network, depth: HashingShare.limit) {
            await #expect(throws: Problem.self) { try await share.hold(network) {} }
            try await share.hold(ClientNetwork("192.0.2.2")) {}
        }
        try await share.hold(network) {}
    }

    private func hold(_ share: HashingShare, _ network: ClientNetwork, depth: Int, _ body: () async throws -> Void) async throws {
        guard depth > 0 else { return try await body() }
        try await share.hold(network) { try await self.hold(share, network, depth: depth - 1, body) }
    }
}
