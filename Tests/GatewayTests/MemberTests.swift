import Database
import Models
import TestSupport
import Testing

@testable import Gateway

@Suite struct MemberTests {
    private func send(_ gateway: TestGateway, _ method: String, _ path: String, _ member: TestMember, _ body: JSONValue? = nil) async throws
        -> TestDoor.Answer
    {
        try await gateway.door.send(method, "/api/v1\(path)", headers: member.bearer, body: body)
    }

    @Test func membersAreListedToAdmins() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let bob = try await gateway.join("bob@example.com", .viewer, of: ada)
            let list = try await gateway.get("/members", ada)
            #expect(list.status == 200)
            let data = list.json["data"]?.arrayValue ?? []
            #expect(data.compactMap { $0["email"]?.stringValue } == ["bob@example.com", "ada@example.com"])
            #expect(data.compactMap { $0["role"]?.stringValue } == ["viewer", "owner"])
            #expect(try await gateway.get("/members", bob).status == 403)
            let page = try await gateway.get("/members?limit=1", ada)
            let cursor = try #require(page.json["next_cursor"]?.stringValue)
            let rest = try await gateway.get("/members?limit=1&cursor=\(cursor)", ada)
            #expect(rest.json["data"]?.arrayValue?.first?["email"] == "ada@example.com")
        }
    }

    @Test func rolesAreChangedByOwnersOnly() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let bob = try await gateway.join("bob@example.com", .admin, of: ada)
            #expect(try await self.send(gateway, "PATCH", "/members/\(bob.user)", bob, ["role": "owner"]).status == 403)
            let changed = try await self.send(gateway, "PATCH", "/members/\(bob.user)", ada, ["role": "viewer"])
            #expect(changed.status == 200)
            #expect(changed.json["role"] == "viewer")
            #expect(try await gateway.get("/members", bob).status == 403)
            #expect(try await self.send(gateway, "PATCH", "/members/\(bob.user)", ada, ["role": "king", "tier": "premium"]).status == 422)
            let stranger = try await gateway.register("eve@example.com")
            #expect(try await self.send(gateway, "PATCH", "/members/\(stranger.user)", ada, ["role": "viewer"]).status == 404)
            #expect(try await self.send(gateway, "DELETE", "/members/\(stranger.user)", ada).status == 404)
            let told = try await gateway.details(of: "member.role_changed", in: ada.organization)
            #expect(told == [["before": ["role": "admin"], "after": ["role": "viewer"]]])
        }
    }

    @Test func lastOwnerStays() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let bob = try await gateway.join("bob@example.com", .admin, of: ada)
            #expect(try await self.send(gateway, "PATCH", "/members/\(ada.user)", ada, ["role": "admin"]).status == 409)
            #expect(try await self.send(gateway, "DELETE", "/members/\(ada.user)", ada).status == 409)
            #expect(try await gateway.post("/organization/leave", ada).status == 409)
            #expect(try await self.send(gateway, "PATCH", "/members/\(bob.user)", ada, ["role": "owner"]).status == 200)
            #expect(try await gateway.post("/organization/leave", ada).status == 204)
            #expect(try await gateway.get("/auth/me", ada).status == 401)
            #expect(try await gateway.post("/organization/leave", bob).status == 409)
        }
    }

    @Test(arguments: ["remove", "lower", "leave"]) func ofTwoOwnersWhoGoAtOnceOneStays(_ way: String) async throws {
        try await withGateway(.init(replicas: 2)) { gateway in
            let ada = try await gateway.register()
            var others = ["bob@example.com"]
            for _ in 0..<4 {
                let bob = try await gateway.join(others[0], .owner, of: ada)
                others = ["b\(bob.user)@example.com"]
                async let one = self.go(gateway.replicas[0], way, ada, bob)
                async let other = self.go(gateway.replicas[1], way, bob, ada)
                let statuses = try await [one, other]
                #expect(statuses.count { (200...204).contains($0) } == 1, "\(statuses)")
                let owners = try await gateway.database.runtime.readFirst(
                    "SELECT COUNT(*) FROM memberships WHERE organization_id = \(ada.organization) AND role = 'owner'",
                    as: Int64.self
                )
                #expect(owners == 1)
                // Ada back in her place for the next round.
                try await gateway.database.runtime.write(
                    """
                    INSERT INTO memberships (organization_id, user_id, role) VALUES (\(ada.organization), \(ada.user), 'owner')
                    ON CONFLICT (organization_id, user_id) DO UPDATE SET role = 'owner'
                    """
                )
                try await gateway.database.runtime.write("DELETE FROM memberships WHERE user_id = \(bob.user)")
                if try await gateway.get("/auth/me", ada).status == 401 { break }
            }
        }
    }

    private func go(_ door: TestDoor, _ way: String, _ one: TestMember, _ other: TestMember) async throws -> Int {
        switch way {
        case "remove": try await door.send("DELETE", "/api/v1/members/\(other.user)", headers: one.bearer).status
        case "lower":
            try await door.send("PATCH", "/api/v1/members/\(other.user)", headers: one.bearer, body: ["role": "admin"]).status
        default: try await door.send("POST", "/api/v1/organization/leave", headers: one.bearer).status
        }
    }

    @Test func removedMembersSessionsAndKeysEndInEveryReplicaAtOnce() async throws {
        try await withGateway(.init(replicas: 2, runsWorkers: true)) { gateway in
            let ada = try await gateway.register()
            let bob = try await gateway.register("bob@example.com")
            try await gateway.database.runtime.write(
                "INSERT INTO memberships (organization_id, user_id, role) VALUES (\(ada.organization), \(bob.user), 'admin')"
            )
            let switched = try await gateway.post("/auth/switch", bob, ["organization_id": .integer(ada.organization.rawValue)])
            let inside = try TestGateway.member(switched.json, bob.email)
            let (id, key) = try await gateway.key(of: inside, [.organizationRead])
            for gateway in gateway.gateways { while !gateway.cache.isTrusted { await Task.yield() } }
            let door = gateway.replicas[1]
            let byKey = [("X-API-Key", key)]
            // Both stand in the other replica's cache, which only the announcement can empty at once.
            let cache = gateway.gateways[1].cache
            let digests = [try TokenDigest(key), try TokenDigest(inside.accessToken)]
            while digests.contains(where: { cache.find($0) == nil }) {
                #expect(try await door.send("GET", "/api/v1/api/public/user", headers: byKey).status == 200)
                #expect(try await door.send("GET", "/api/v1/auth/me", headers: inside.bearer).status == 200)
            }

            #expect(try await self.send(gateway, "DELETE", "/members/\(bob.user)", ada).status == 204)
            let start = ContinuousClock.now
            while try await door.send("GET", "/api/v1/api/public/user", headers: byKey).status == 200 {}
            while try await door.send("GET", "/api/v1/auth/me", headers: inside.bearer).status == 200 {}
            #expect(ContinuousClock.now - start < .seconds(1))
            #expect(try await gateway.get("/api/keys/\(id)", ada).json["revoked_at"] != .null)
            // The account itself lives on in its own organization.
            #expect(try await gateway.login(bob.email).json["organization"]?["id"] == .integer(bob.organization.rawValue))
            #expect(try await gateway.audited(ada.organization).suffix(2) == ["member.removed", "key.revoked"])
        }
    }
}

@Suite struct OrganizationTests {
    @Test func userHasSeveralOrganizationsAndSwitches() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let headers = ada.bearer + [("Idempotency-Key", "one")]
            let made = try await gateway.door.send("POST", "/api/v1/organizations", headers: headers, body: ["name": "Second"])
            #expect(made.status == 201)
            #expect(made.json["role"] == "owner")
            #expect(made.json["tier"] == "default")
            let again = try await gateway.door.send("POST", "/api/v1/organizations", headers: headers, body: ["name": "Second"])
            #expect(again.json == made.json)
            let list = try await gateway.get("/auth/organizations", ada).json["data"]?.arrayValue ?? []
            #expect(list.compactMap { $0["name"]?.stringValue } == ["Second", "Analytical Engines"])
            #expect(list.compactMap { $0["current"]?.boolValue } == [false, true])

            let id = try #require(made.json["id"]?.integerValue)
            let switched = try await gateway.post("/auth/switch", ada, ["organization_id": .integer(id)])
            #expect(switched.status == 200)
            let second = try TestGateway.member(switched.json, ada.email)
            #expect(second.organization == OrganizationID(id))
            #expect(try await gateway.get("/auth/me", ada).status == 401)
            #expect(try await gateway.get("/auth/me", second).json["organization"]?["name"] == "Second")
            #expect(try await gateway.audited(second.organization) == ["organization.created", "session.opened"])
        }
    }

    @Test func anothersOrganizationIsAsAMissingOne() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let eve = try await gateway.register("eve@example.com")
            let foreign = try await gateway.post("/auth/switch", eve, ["organization_id": .integer(ada.organization.rawValue)])
            let missing = try await gateway.post("/auth/switch", eve, ["organization_id": 999_999])
            #expect(foreign.status == 404)
            #expect(AccountTests.withoutRequestID(foreign.json) == AccountTests.withoutRequestID(missing.json))
            #expect(try await gateway.get("/auth/me", eve).status == 200)
        }
    }

    @Test func ownerRenamesAndNobodyElse() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let bob = try await gateway.join("bob@example.com", .admin, of: ada)
            let body: JSONValue = ["name": "New name"]
            #expect(try await gateway.door.send("PATCH", "/api/v1/organization", headers: bob.bearer, body: body).status == 403)
            let renamed = try await gateway.door.send("PATCH", "/api/v1/organization", headers: ada.bearer, body: body)
            #expect(renamed.status == 200)
            #expect(try await gateway.door.send("PATCH", "/api/v1/organization", headers: ada.bearer, body: body).status == 200)
            let told = try await gateway.details(of: "organization.renamed", in: ada.organization)
            #expect(told.map { $0["after"] } == [["name": "New name"]], "the same name again is no entry")
            let old = try #require(told.first?["before"]?["name"]?.stringValue)
            #expect(!old.isEmpty && old != "New name")
            #expect(try await gateway.get("/auth/me", bob).json["organization"]?["name"] == "New name")
            let smuggled: JSONValue = ["name": "x", "tier": "premium"]
            #expect(try await gateway.door.send("PATCH", "/api/v1/organization", headers: ada.bearer, body: smuggled).status == 422)
        }
    }
}
