import Database
import Models
import TestSupport
import Testing

@testable import Gateway

@Suite struct SessionListTests {
    private func sessions(_ gateway: TestGateway, _ member: TestMember) async throws -> [JSONValue] {
        try await gateway.get("/auth/sessions", member).json["data"]?.arrayValue ?? []
    }

    @Test func sessionsAreListedWithTheirDeviceAndEndOneByOne() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let login: JSONValue = ["email": .string(ada.email), "password": .string(TestGateway.password)]
            let phone = try await gateway.door.send("POST", "/api/v1/auth/login", headers: [("User-Agent", "Phone/1")], body: login)
            let other = try TestGateway.member(phone.json, ada.email)
            let list = try await self.sessions(gateway, ada)
            #expect(list.count == 2)
            #expect(list[0]["agent"] == "Phone/1")
            #expect(list[0]["address"] == "127.0.0.1")
            #expect(list.compactMap { $0["current"]?.boolValue } == [false, true])
            #expect(
                list.allSatisfy { $0["organization_id"] == .integer(ada.organization.rawValue) && $0["last_used_at"]?.stringValue != nil }
            )

            let id = try #require(list[0]["id"]?.integerValue)
            let eve = try await gateway.register("eve@example.com")
            #expect(try await gateway.door.send("DELETE", "/api/v1/auth/sessions/\(id)", headers: eve.bearer).status == 404)
            #expect(try await gateway.door.send("DELETE", "/api/v1/auth/sessions/\(id)", headers: ada.bearer).status == 204)
            #expect(try await gateway.get("/auth/me", other).status == 401)
            #expect(try await gateway.door.send("DELETE", "/api/v1/auth/sessions/\(id)", headers: ada.bearer).status == 404)
            #expect(try await self.sessions(gateway, ada).count == 1)
        }
    }

    @Test func logoutEverywhereEndsSessionsOfAllOrganizations() async throws {
        try await withGateway(.init(replicas: 2, runsWorkers: true)) { gateway in
            let ada = try await gateway.register()
            let made = try await gateway.post("/organizations", ada, ["name": "Second"])
            let elsewhere = try TestGateway.member(try await gateway.login(ada.email).json, ada.email)
            let switched = try await gateway.post("/auth/switch", elsewhere, ["organization_id": try #require(made.json["id"])])
            let second = try TestGateway.member(switched.json, ada.email)
            let eve = try await gateway.register("eve@example.com")
            for gateway in gateway.gateways { while !gateway.cache.isTrusted { await Task.yield() } }
            #expect(try await gateway.replicas[1].send("GET", "/api/v1/auth/me", headers: second.bearer).status == 200)
            #expect(try await gateway.post("/auth/logout-all", ada).status == 204)
            let start = ContinuousClock.now
            while try await gateway.replicas[1].send("GET", "/api/v1/auth/me", headers: second.bearer).status == 200 {}
            #expect(ContinuousClock.now - start < .seconds(1))
            try await eventually("the session ends here, too") { try await gateway.get("/auth/me", ada).status == 401 }
            #expect(try await gateway.post("/auth/refresh", nil, ["refresh_token": .string(second.refreshToken)]).status == 401)
            #expect(try await gateway.get("/auth/me", eve).status == 200)
            #expect(try await gateway.audited(ada.organization).contains("user.sessions_closed"))
            #expect(try await gateway.audited(second.organization).contains("user.sessions_closed"))
        }
    }

    @Test func lastUseIsWrittenInBatches() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            try await gateway.database.runtime.write("UPDATE sessions SET refreshed_at = now() - INTERVAL '1 hour'")
            #expect(try await gateway.get("/auth/me", ada).status == 200)
            let uses = try #require(gateway.gateways[0].workers.compactMap { $0.service as? SessionUses }.first)
            try await uses.flush()
            let isFresh = try await gateway.database.runtime.readFirst(
                "SELECT last_used_at > now() - INTERVAL '1 minute' FROM sessions",
                as: Bool.self
            )
            #expect(isFresh == true)
        }
    }

    @Test func keysMayNotTouchAccounts() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let (_, key) = try await gateway.key(of: ada, Scope.allCases)
            for path in ["/auth/sessions", "/auth/organizations", "/members", "/invitations"] {
                #expect(try await gateway.door.send("GET", "/api/v1\(path)", headers: [("X-API-Key", key)]).status == 403, "\(path)")
            }
        }
    }
}
