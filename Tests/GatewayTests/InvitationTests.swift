import Database
import Models
import TestSupport
import Testing

@testable import Gateway

@Suite struct InvitationTests {
    private func invite(_ gateway: TestGateway, _ owner: TestMember, _ email: String, _ role: Role = .editor) async throws -> String {
        let body: JSONValue = ["email": .string(email), "role": .string(role.rawValue)]
        #expect(try await gateway.post("/invitations", owner, body).status == 201)
        return try await gateway.mailedToken("invitation", to: email)
    }

    private func accept(_ gateway: TestGateway, _ token: String, _ more: [String: JSONValue] = [:], as member: TestMember? = nil)
        async throws
        -> TestDoor.Answer
    {
        try await gateway.post("/auth/invitations/accept", member, .object(["token": .string(token)].merging(more) { $1 }))
    }

    private static let newcomer: [String: JSONValue] = ["name": "Bob", "password": .string(TestGateway.password)]

    @Test func newcomerJoinsWithTheInvitedRole() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let token = try await self.invite(gateway, ada, "bob@example.com")
            let missing = try await self.accept(gateway, token)
            #expect(missing.status == 422)
            #expect((missing.json["errors"]?.arrayValue ?? []).compactMap { $0["pointer"]?.stringValue } == ["/name", "/password"])
            let joined = try await self.accept(gateway, token, Self.newcomer)
            #expect(joined.status == 201)
            #expect(joined.json["role"] == "editor")
            #expect(joined.json["user"]?["email_verified"] == true)
            #expect(joined.json["organization"]?["id"] == .integer(ada.organization.rawValue))
            #expect(try await self.accept(gateway, token, Self.newcomer).status == 401)
            let list = try await gateway.get("/invitations", ada).json["data"]?.arrayValue ?? []
            #expect(list.compactMap { $0["state"]?.stringValue } == ["accepted"])
            #expect(try await gateway.audited(ada.organization).filter { $0 == "member.joined" }.count == 1)
            let again = try await gateway.post("/invitations", ada, ["email": "BOB@example.com", "role": "viewer"])
            #expect(again.status == 409)
        }
    }

    @Test func oneTokenMakesOneMemberHoweverManyShowIt() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let token = try await self.invite(gateway, ada, "bob@example.com")
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 { group.addTask { try await self.accept(gateway, token, Self.newcomer).status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 201 } == 1)
            let members = try await gateway.database.runtime.readFirst(
                "SELECT COUNT(*) FROM memberships WHERE organization_id = \(ada.organization)",
                as: Int64.self
            )
            #expect(members == 2)
        }
    }

    @Test func tokenAloneOpensNoAccountThatIsThere() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let bob = try await gateway.register("bob@example.com")
            let token = try await self.invite(gateway, ada, "Bob@example.com")
            #expect(try await self.accept(gateway, token).status == 409)
            #expect(try await self.accept(gateway, token, ["name": "Bob", "password": "a new password"]).status == 401)
            // Signed in as somebody else.
            #expect(try await self.accept(gateway, token, as: ada).status == 403)
            let joined = try await self.accept(gateway, token, as: bob)
            #expect(joined.status == 201)
            #expect(joined.json["organization"]?["id"] == .integer(ada.organization.rawValue))
            #expect(try await gateway.get("/auth/me", bob).status == 200)
        }
    }

    @Test func passwordOfTheAccountDoesToo() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            _ = try await gateway.register("bob@example.com")
            let token = try await self.invite(gateway, ada, "bob@example.com")
            #expect(try await self.accept(gateway, token, ["password": .string(TestGateway.password)]).status == 201)
        }
    }

    @Test func takenBackAndExpiredInvitationsAreRefusedAlike() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let first = try await self.invite(gateway, ada, "bob@example.com")
            let open = try await gateway.post("/invitations", ada, ["email": "bob@example.com", "role": "viewer"])
            #expect(open.status == 409)
            let id = try #require(try await gateway.get("/invitations", ada).json["data"]?.arrayValue?.first?["id"]?.integerValue)
            let eve = try await gateway.register("eve@example.com")
            #expect(try await gateway.door.send("DELETE", "/api/v1/invitations/\(id)", headers: eve.bearer).status == 404)
            #expect(try await gateway.door.send("DELETE", "/api/v1/invitations/\(id)", headers: ada.bearer).status == 204)
            let takenBack = try await self.accept(gateway, first, Self.newcomer)
            let second = try await self.invite(gateway, ada, "bob@example.com")
            try await gateway.database.runtime.write("UPDATE invitations SET expires_at = now() - INTERVAL '1 second'")
            let expired = try await self.accept(gateway, second, Self.newcomer)
            let unknown = try await self.accept(gateway, try TokenFormat.invitation.make().reveal(), Self.newcomer)
            #expect([takenBack.status, expired.status, unknown.status] == [401, 401, 401])
            #expect(AccountTests.withoutRequestID(takenBack.json) == AccountTests.withoutRequestID(unknown.json))
            #expect(AccountTests.withoutRequestID(expired.json) == AccountTests.withoutRequestID(unknown.json))
            // One that has expired makes way for a new one.
            #expect(try await self.accept(gateway, try await self.invite(gateway, ada, "bob@example.com"), Self.newcomer).status == 201)
        }
    }

    @Test func invitationsEndWithTheirMaker() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let bob = try await gateway.join("bob@example.com", .owner, of: ada)
            let token = try await self.invite(gateway, bob, "second.bob@example.com", .owner)
            #expect(try await gateway.door.send("DELETE", "/api/v1/members/\(bob.user)", headers: ada.bearer).status == 204)
            #expect(try await self.accept(gateway, token, Self.newcomer).status == 401)
        }
    }

    @Test func onlyOwnersInviteAndARepeatInvitesOnce() async throws {
        try await withGateway { gateway in
            let ada = try await gateway.register()
            let bob = try await gateway.join("bob@example.com", .admin, of: ada)
            let body: JSONValue = ["email": "carol@example.com", "role": "admin"]
            #expect(try await gateway.post("/invitations", bob, body).status == 403)
            let headers = ada.bearer + [("Idempotency-Key", "carol")]
            let first = try await gateway.door.send("POST", "/api/v1/invitations", headers: headers, body: body)
            let second = try await gateway.door.send("POST", "/api/v1/invitations", headers: headers, body: body)
            #expect(first.status == 201)
            #expect(first.json == second.json)
            #expect(!first.text.contains("sit_"))
            let mails = try await gateway.database.runtime.readFirst(
                "SELECT COUNT(*) FROM mails WHERE recipient = 'carol@example.com'",
                as: Int64.self
            )
            #expect(mails == 1)
        }
    }
}
