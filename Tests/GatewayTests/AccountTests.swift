import Database
import Models
import TestSupport
import Testing

@testable import Gateway

@Suite struct AccountTests {
    @Test func registrationSignsInAndMeAnswers() async throws {
        try await withGateway { gateway in
            let answer = try await gateway.door.send("POST", "/api/v1/auth/register", body: TestGateway.registration("Ada@example.com"))
            #expect(answer.status == 201)
            #expect(answer.json["token_type"] == "Bearer")
            #expect(answer.json["expires_in"] == 900)
            #expect(answer.json["role"] == "owner")
            #expect(answer.json["organization"]?["tier"] == "default")
            #expect(answer.json["user"]?["email"] == "Ada@example.com")
            #expect(answer.header("Cache-Control") == "no-store")
            #expect(answer.header("Strict-Transport-Security") == "max-age=31536000")
            #expect(!answer.text.contains(TestGateway.password))

            let member = try TestGateway.member(answer.json, "Ada@example.com")
            let me = try await gateway.door.send("GET", "/api/v1/auth/me", headers: member.bearer)
            #expect(me.status == 200)
            #expect(me.json["user"]?["name"] == "Ada")
            #expect(me.json["organization"]?["name"] == "Analytical Engines")
            #expect(me.json["role"] == "owner")
            #expect(me.header("X-Content-Type-Options") == "nosniff")
            #expect(try await gateway.audited(member.organization) == ["organization.created", "session.opened"])
        }
    }

    @Test func addressIsTakenWhateverItsCase() async throws {
        try await withGateway { gateway in
            _ = try await gateway.register("ada@example.com")
            let again = try await gateway.door.send("POST", "/api/v1/auth/register", body: TestGateway.registration("ADA@example.COM"))
            #expect(again.status == 409)
            let users = try await gateway.database.runtime.readFirst("SELECT COUNT(*) FROM users", as: Int64.self)
            let organizations = try await gateway.database.runtime.readFirst("SELECT COUNT(*) FROM organizations", as: Int64.self)
            #expect(users == 1)
            #expect(organizations == 1)
        }
    }

    @Test func faultsOfARegistrationAreNamedAtOnce() async throws {
        try await withGateway { gateway in
            let body: JSONValue = ["email": "nobody", "password": "short", "name": "", "role": "owner", "tier": "premium"]
            let answer = try await gateway.door.send("POST", "/api/v1/auth/register", body: body)
            #expect(answer.status == 422)
            let pointers = Set((answer.json["errors"]?.arrayValue ?? []).compactMap { $0["pointer"]?.stringValue })
            #expect(pointers == ["/email", "/password", "/name", "/organization_name", "/role", "/tier"])
            #expect(!answer.text.contains("short\""))
        }
    }

    @Test func loginTellsNothingAboutTheAddress() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            func login(_ email: String, _ password: String) async throws -> TestDoor.Answer {
                try await gateway.door.send("POST", "/api/v1/auth/login", body: ["email": .string(email), "password": .string(password)])
            }
            let right = try await login("ADA@example.com", TestGateway.password)
            #expect(right.status == 200)
            #expect(right.json["organization"]?["id"] == .integer(member.organization.rawValue))
            #expect(right.json["role"] == "owner")
            #expect(right.json["access_token"]?.stringValue != member.accessToken)

            let wrong = try await login("ada@example.com", "wrong password")
            let unknown = try await login("nobody@example.com", "wrong password")
            #expect(wrong.status == 401)
            #expect(wrong.json["detail"] == unknown.json["detail"])
            #expect(Self.withoutRequestID(wrong.json) == Self.withoutRequestID(unknown.json))
        }
    }

    @Test func onlyTheScryptHashIsStored() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let hash = try await gateway.database.runtime.readFirst("SELECT password_hash FROM users", as: String.self)
            #expect(hash?.contains(TestGateway.password) == false)
            let tokens = try await gateway.database.runtime.readFirst(
                """
                SELECT COUNT(*) FROM access_tokens a, refresh_tokens r
                WHERE a.token_hash = \(try TokenDigest(member.accessToken).bytes) AND r.token_hash = \(try TokenDigest(member.refreshToken).bytes)
                """,
                as: Int64.self
            )
            #expect(tokens == 1)
        }
    }

    static func withoutRequestID(_ json: JSONValue) -> [String: JSONValue]? {
        json.objectValue?.filter { $0.key != "request_id" }
    }
}

@Suite struct SessionTests {
    private func refresh(_ gateway: TestGateway, _ token: String) async throws -> TestDoor.Answer {
        try await gateway.door.send("POST", "/api/v1/auth/refresh", body: ["refresh_token": .string(token)])
    }

    private func me(_ gateway: TestGateway, _ token: String) async throws -> Int {
        try await gateway.door.send("GET", "/api/v1/auth/me", headers: [("Authorization", "Bearer \(token)")]).status
    }

    @Test func refreshRotatesBothTokens() async throws {
        try await withGateway { gateway in
            let first = try await gateway.register()
            let answer = try await self.refresh(gateway, first.refreshToken)
            #expect(answer.status == 200)
            let second = try TestGateway.member(answer.json, first.email)
            #expect(second.refreshToken != first.refreshToken)
            #expect(second.organization == first.organization)
            #expect(try await self.me(gateway, second.accessToken) == 200)
            #expect(try await self.refresh(gateway, second.refreshToken).status == 200)
        }
    }

    @Test func reuseOfARefreshTokenEndsTheFamily() async throws {
        try await withGateway { gateway in
            let first = try await gateway.register()
            let second = try TestGateway.member(try await self.refresh(gateway, first.refreshToken).json, first.email)
            #expect(try await self.refresh(gateway, first.refreshToken).status == 401)
            #expect(try await self.refresh(gateway, second.refreshToken).status == 401)
            #expect(try await self.me(gateway, first.accessToken) == 401)
            #expect(try await self.me(gateway, second.accessToken) == 401)
            #expect(try await self.refresh(gateway, first.refreshToken).status == 401)
            let reports = try await gateway.audited(first.organization).filter { $0 == "session.refresh_reused" }
            #expect(reports.count == 1)
        }
    }

    @Test func ofManyWhoShowOneRefreshTokenOneGetsIn() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<8 { group.addTask { try await self.refresh(gateway, member.refreshToken).status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 200 } <= 1)
            #expect(statuses.allSatisfy { $0 == 200 || $0 == 401 })
        }
    }

    @Test func logoutEndsThisSessionOnly() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let login: JSONValue = ["email": .string(member.email), "password": .string(TestGateway.password)]
            let other = try TestGateway.member(try await gateway.door.send("POST", "/api/v1/auth/login", body: login).json, member.email)
            let logout = try await gateway.door.send("POST", "/api/v1/auth/logout", headers: member.bearer)
            #expect(logout.status == 204)
            #expect(try await self.me(gateway, member.accessToken) == 401)
            #expect(try await self.refresh(gateway, member.refreshToken).status == 401)
            #expect(try await self.me(gateway, other.accessToken) == 200)
            #expect(try await gateway.audited(member.organization).last == "session.closed")
        }
    }

    @Test func refreshTokenIsNoBearerToken() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            #expect(try await self.me(gateway, member.refreshToken) == 401)
            #expect(try await self.refresh(gateway, member.accessToken).status == 401)
        }
    }

    @Test func tokensEndInTime() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            try await gateway.database.runtime.write("UPDATE access_tokens SET expires_at = now() - INTERVAL '1 second'")
            #expect(try await self.me(gateway, member.accessToken) == 401)
            try await gateway.database.runtime.write("UPDATE refresh_tokens SET expires_at = now() - INTERVAL '1 second'")
            #expect(try await self.refresh(gateway, member.refreshToken).status == 401)
        }
    }

    @Test func sweeperLeavesWhatIsAlive() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let sweeper = Sweeper(database: gateway.database.runtime, logger: TestLog.quiet)
            try await sweeper.sweep()
            #expect(try await self.me(gateway, member.accessToken) == 200)
            try await gateway.database.runtime.write("UPDATE sessions SET expires_at = now() - INTERVAL '2 days'")
            try await sweeper.sweep()
            let rest = try await gateway.database.runtime.readFirst(
                "SELECT (SELECT COUNT(*) FROM sessions) + (SELECT COUNT(*) FROM access_tokens) + (SELECT COUNT(*) FROM refresh_tokens)",
                as: Int64.self
            )
            #expect(rest == 0)
        }
    }
}
