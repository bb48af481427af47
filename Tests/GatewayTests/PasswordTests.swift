import Database
import Models
import TestSupport
import Testing

@testable import Gateway

@Suite struct PasswordTests {
    private static let newPassword = "a wholly different passphrase"

    private func me(_ gateway: TestGateway, _ member: TestMember) async throws -> Int { try await gateway.get("/auth/me", member).status }

    @Test func changingThePasswordEndsOtherSessionsOnly() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let other = try TestGateway.member(try await gateway.login(member.email).json, member.email)
            let body: JSONValue = ["current_password": .string(TestGateway.password), "new_password": .string(Self.newPassword)]
            #expect(try await gateway.post("/auth/password", member, body).status == 204)
            #expect(try await self.me(gateway, member) == 200)
            #expect(try await self.me(gateway, other) == 401)
            #expect(try await gateway.login(member.email).status == 401)
            #expect(try await gateway.login(member.email, Self.newPassword).status == 200)
            // Not 401: the session is as good as before.
            let wrong = try await gateway.post("/auth/password", member, body)
            #expect(wrong.status == 422)
            #expect(wrong.json["errors"]?.arrayValue?.map { $0["pointer"] } == ["/current_password"])
            #expect(try await gateway.audited(member.organization).contains("user.password_changed"))
            #expect(try await gateway.mail("password_changed", to: member.email).contains("was just changed"))
        }
    }

    @Test func mailedTokenChoosesANewPasswordOnce() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let asked = try await gateway.post("/auth/password/forgot", nil, ["email": "ADA@example.com"])
            #expect(asked.status == 202)
            let token = try await gateway.mailedToken("password_reset", to: member.email)
            let body: JSONValue = ["token": .string(token), "password": .string(Self.newPassword)]
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 { group.addTask { try await gateway.post("/auth/password/reset", nil, body).status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.sorted() == [204, 401, 401, 401])
            #expect(try await self.me(gateway, member) == 401)
            #expect(try await gateway.login(member.email).status == 401)
            let signedIn = try await gateway.login(member.email, Self.newPassword)
            #expect(signedIn.status == 200)
            #expect(signedIn.json["user"]?["email_verified"] == true)
            #expect(try await gateway.audited(member.organization).contains("user.password_reset"))
        }
    }

    @Test func forgettingTellsNothingAboutTheAddress() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let clock = ContinuousClock()
            var times: [Duration] = []
            var answers: [TestDoor.Answer] = []
            for email in [member.email, "nobody@example.com"] {
                let start = clock.now
                answers.append(try await gateway.post("/auth/password/forgot", nil, ["email": .string(email)]))
                times.append(clock.now - start)
            }
            #expect(answers.map(\.status) == [202, 202])
            #expect(answers[0].json == answers[1].json)
            #expect(answers[0].json == ["mail": "logged"])
            #expect(times.allSatisfy { $0 >= .milliseconds(300) })
            let mails = try await gateway.database.runtime.readFirst(
                "SELECT COUNT(*) FROM mails WHERE kind = 'password_reset'",
                as: Int64.self
            )
            #expect(mails == 1)
        }
    }

    @Test func oneAddressGetsFewResetMails() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            for _ in 0..<5 {
                #expect(try await gateway.post("/auth/password/forgot", nil, ["email": .string(member.email)]).status == 202)
            }
            let mails = try await gateway.database.runtime.readFirst(
                "SELECT COUNT(*) FROM mails WHERE kind = 'password_reset'",
                as: Int64.self
            )
            #expect(mails == Int64(AttemptRule.mail.burst))
        }
    }

    @Test func tokensAreDigestsAndEnd() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            _ = try await gateway.post("/auth/password/forgot", nil, ["email": .string(member.email)])
            let token = try await gateway.mailedToken("password_reset", to: member.email)
            let digest = try TokenDigest(token).bytes
            let stored = try await gateway.database.runtime.readFirst(
                "SELECT COUNT(*) FROM user_tokens WHERE token_hash = \(digest)",
                as: Int64.self
            )
            #expect(stored == 1)
            try await gateway.database.runtime.write("UPDATE user_tokens SET expires_at = now() - INTERVAL '1 second'")
            let body: JSONValue = ["token": .string(token), "password": .string(Self.newPassword)]
            #expect(try await gateway.post("/auth/password/reset", nil, body).status == 401)
            // A mailed token is no credential, and one kind does not stand in for another.
            #expect(try await gateway.door.send("GET", "/api/v1/auth/me", headers: [("Authorization", "Bearer \(token)")]).status == 401)
            #expect(try await gateway.post("/auth/email/verify", nil, ["token": .string(token)]).status == 401)
        }
    }

    @Test func resetMakesTheNewPlaceAKnownOne() async throws {
        try await withGateway(TestGateway.proxied) { gateway in
            let member = try await gateway.register()
            try await gateway.guess(member.email, from: ["203.0.113.1", "203.0.113.2"], tries: 10)
            #expect(try await gateway.login(member.email, from: "203.0.113.9").status == 429)
            _ = try await gateway.post("/auth/password/forgot", nil, ["email": .string(member.email)])
            let token = try await gateway.mailedToken("password_reset", to: member.email)
            let reset = try await gateway.door.send(
                "POST",
                "/api/v1/auth/password/reset",
                headers: [("X-Forwarded-For", "203.0.113.9")],
                body: ["token": .string(token), "password": .string(Self.newPassword)]
            )
            #expect(reset.status == 204)
            #expect(try await gateway.login(member.email, Self.newPassword, from: "203.0.113.9").status == 200)
        }
    }
}

@Suite struct EmailVerificationTests {
    @Test func mailedTokenVerifiesTheAddressOnce() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            #expect(try await gateway.get("/auth/me", member).json["user"]?["email_verified"] == false)
            let token = try await gateway.mailedToken("email_verification", to: member.email)
            #expect(token.hasPrefix("svt_"))
            #expect(try await gateway.post("/auth/email/verify", nil, ["token": .string(token)]).status == 204)
            #expect(try await gateway.get("/auth/me", member).json["user"]?["email_verified"] == true)
            #expect(try await gateway.post("/auth/email/verify", nil, ["token": .string(token)]).status == 401)
            #expect(try await gateway.post("/auth/email/verification", member).status == 409)
        }
    }

    @Test func verificationIsMailedAgainAFewTimes() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let first = try await gateway.mailedToken("email_verification", to: member.email)
            var statuses: [Int] = []
            for _ in 0...AttemptRule.mail.burst { statuses.append(try await gateway.post("/auth/email/verification", member).status) }
            #expect(statuses == [202, 202, 202, 429])
            let second = try await gateway.mailedToken("email_verification", to: member.email)
            #expect(first != second)
            #expect(try await gateway.post("/auth/email/verify", nil, ["token": .string(second)]).status == 204)
            // All tokens of the purpose end with the first that is used.
            #expect(try await gateway.post("/auth/email/verify", nil, ["token": .string(first)]).status == 401)
        }
    }
}
