import Database
import Encryption
import Foundation
import Models
import TestSupport
import Testing

@testable import Gateway

@Suite struct OneTimePasswordTests {
    /// RFC 6238, appendix B, the rows of SHA-1: eight digits.
    @Test(arguments: [
        (59, "94287082"), (1_111_111_109, "07081804"), (1_111_111_111, "14050471"), (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"), (20_000_000_000, "65353130"),
    ])
    func vectorsOfTheRFC(_ time: Int64, _ expected: String) throws {
        let secret = Array("12345678901234567890".utf8)
        #expect(try OneTimePassword.code(secret, step: time / 30, digits: 8) == expected)
        #expect(try OneTimePassword.code(secret, step: time / 30) == String(expected.suffix(6)))
    }

    @Test func neighbouringStepsCountAndNoneTwice() throws {
        let secret = Array("12345678901234567890".utf8)
        for step in Int64(99)...101 {
            let code = try OneTimePassword.code(secret, step: step)
            #expect(try OneTimePassword.step(of: code, secret, now: 100, after: 0) == step)
            #expect(try OneTimePassword.step(of: code, secret, now: 100, after: step) == nil)
        }
        for step in [Int64(98), 102] {
            #expect(try OneTimePassword.step(of: try OneTimePassword.code(secret, step: step), secret, now: 100, after: 0) == nil)
        }
        #expect(try OneTimePassword.step(of: "", secret, now: 100, after: 0) == nil)
    }

    /// RFC 4648, section 10, without the padding.
    @Test(arguments: [
        ("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("fooba", "MZXW6YTB"), ("foobar", "MZXW6YTBOI"),
    ])
    func base32OfTheRFC(_ text: String, _ expected: String) { #expect(Base32.encode(Array(text.utf8)) == expected) }

    @Test func addressInTheURIIsEncoded() {
        let uri = OneTimePassword.uri([0x66], account: "a+b&c@example.com")
        #expect(uri.hasPrefix("otpauth://totp/Switchboard%3Aa%2Bb%26c%40example.com?secret=MY&"))
    }

    @Test func recoveryCodesAreReadAsPeopleTypeThem() throws {
        let code = try RecoveryCode()
        #expect(try /[A-Z2-7]{4}(-[A-Z2-7]{4}){3}/.wholeMatch(in: code.text.reveal()) != nil)
        #expect(try RecoveryCode.digest(Secret(code.text.reveal().lowercased().replacing("-", with: " "))) == code.digest)
    }
}

@Suite struct SecondFactorTests {
    /// Sets an authenticator up; answers its secret and the recovery codes.
    private func enroll(_ gateway: TestGateway, _ member: TestMember) async throws -> (secret: [UInt8], recovery: [String]) {
        let begun = try await gateway.post("/auth/totp", member, ["password": .string(TestGateway.password)])
        #expect(begun.status == 200)
        let secret = try Self.decode(try #require(begun.json["secret"]?.stringValue))
        #expect(begun.json["otpauth_url"]?.stringValue?.hasPrefix("otpauth://totp/") == true)
        let confirmed = try await gateway.post("/auth/totp/confirm", member, ["code": .string(try Self.code(secret, offset: -1))])
        #expect(confirmed.status == 200)
        return (secret, (confirmed.json["recovery_codes"]?.arrayValue ?? []).compactMap(\.stringValue))
    }

    private static func code(_ secret: [UInt8], offset: Int64 = 0) throws -> String {
        try OneTimePassword.code(secret, step: Int64(Date().timeIntervalSince1970) / 30 + offset)
    }

    private static func decode(_ text: String) throws -> [UInt8] {
        let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
        let bits = text.flatMap { letter -> [Int] in
            let value = alphabet.firstIndex(of: letter) ?? 0
            return (0..<5).map { value >> (4 - $0) & 1 }
        }
        return stride(from: 0, to: bits.count - 7, by: 8).map { start in UInt8(bits[start..<start + 8].reduce(0) { $0 << 1 | $1 }) }
    }

    @Test func codeIsAskedForAfterThePasswordAndWorksOnce() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (secret, recovery) = try await self.enroll(gateway, member)
            #expect(recovery.count == 10)
            #expect(try await gateway.get("/auth/me", member).json["user"]?["totp_enabled"] == true)

            let wrong = try await gateway.login(member.email, "wrong password", more: ["totp_code": "000000"])
            #expect(wrong.json["type"] == "/problems/unauthenticated")
            let asked = try await gateway.login(member.email)
            #expect(asked.status == 401)
            #expect(asked.json["type"] == "/problems/second-factor-required")
            #expect(asked.header("WWW-Authenticate")?.hasPrefix("Bearer") == true)
            let code = try Self.code(secret)
            #expect(try await gateway.login(member.email, more: ["totp_code": .string(code)]).status == 200)
            let replayed = try await gateway.login(member.email, more: ["totp_code": .string(code)])
            #expect(replayed.status == 401)
            #expect(replayed.json["type"] == "/problems/second-factor-required")
            let actions = try await gateway.audited(member.organization)
            #expect(actions.contains("user.second_factor_added"))
        }
    }

    @Test func ofManyWhoShowOneCodeOneGetsIn() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (secret, _) = try await self.enroll(gateway, member)
            let code = try Self.code(secret, offset: 1)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 { group.addTask { try await gateway.login(member.email, more: ["totp_code": .string(code)]).status } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses.count { $0 == 200 } == 1, "\(statuses)")
        }
    }

    @Test func recoveryCodeWorksOnceAndRemovalNeedsBoth() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (_, recovery) = try await self.enroll(gateway, member)
            #expect(try await gateway.login(member.email, more: ["recovery_code": .string(recovery[0].lowercased())]).status == 200)
            #expect(try await gateway.login(member.email, more: ["recovery_code": .string(recovery[0])]).status == 401)
            let password: JSONValue = .string(TestGateway.password)
            #expect(try await gateway.post("/auth/totp", member, ["password": password]).status == 409)
            #expect(try await gateway.post("/auth/totp/disable", member, ["password": password]).status == 401)
            #expect(
                try await gateway.post("/auth/totp/disable", member, ["password": "wrong", "recovery_code": .string(recovery[1])]).status
                    == 422
            )
            let removed = try await gateway.post(
                "/auth/totp/disable",
                member,
                ["password": password, "recovery_code": .string(recovery[1])]
            )
            #expect(removed.status == 204)
            #expect(try await gateway.login(member.email).status == 200)
        }
    }

    @Test func unconfirmedAuthenticatorAsksForNothing() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            #expect(try await gateway.post("/auth/totp", member, ["password": "wrong password"]).status == 422)
            #expect(try await gateway.post("/auth/totp", member, ["password": .string(TestGateway.password)]).status == 200)
            #expect(try await gateway.post("/auth/totp/confirm", member, ["code": "12345x"]).status == 422)
            #expect(try await gateway.login(member.email).status == 200)
        }
    }

    @Test func guessedCodesAreLimitedWhateverTheNetwork() async throws {
        try await withGateway(TestGateway.proxied) { gateway in
            let member = try await gateway.register()
            let (secret, recovery) = try await self.enroll(gateway, member)
            for number in 1...2 {
                let guess = try await gateway.login(member.email, from: "203.0.113.\(number)", more: ["totp_code": "abcdef"])
                #expect(guess.status == 401)
            }
            let budget = try gateway.budgets().of(.code, "\(member.user)")
            for _ in 2..<AttemptRule.code.burst { try await gateway.attempts.charge([budget]) }
            #expect(try await gateway.login(member.email, more: ["totp_code": .string(try Self.code(secret))]).status == 429)
            #expect(try await gateway.login(member.email, more: ["recovery_code": .string(recovery[0])]).status == 429)
        }
    }

    @Test func secretAndCodesAreNotStoredInTheClear() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (secret, recovery) = try await self.enroll(gateway, member)
            let found = try await gateway.database.runtime.readFirst(
                """
                SELECT (SELECT COUNT(*) FROM second_factors WHERE position(\(secret)::bytea IN secret) > 0)
                    + (SELECT COUNT(*) FROM recovery_codes WHERE code_hash = \(Array(recovery[0].utf8)))
                """,
                as: Int64.self
            )
            #expect(found == 0)
        }
    }

    @Test func resetOfANeverProvedAddressTakesTheFactorAway() async throws {
        try await withGateway { gateway in
            let squatter = try await gateway.register()
            _ = try await self.enroll(gateway, squatter)
            _ = try await gateway.post("/auth/password/forgot", nil, ["email": .string(squatter.email)])
            let token = try await gateway.mailedToken("password_reset", to: squatter.email)
            let password = "a wholly different passphrase"
            #expect(
                try await gateway.post("/auth/password/reset", nil, ["token": .string(token), "password": .string(password)]).status == 204
            )
            #expect(try await gateway.login(squatter.email, password).status == 200)
            let now = try TestGateway.member(try await gateway.login(squatter.email, password).json, squatter.email)

            // A proved one keeps it.
            let begun = try await gateway.post("/auth/totp", now, ["password": .string(password)])
            let secret = try Self.decode(try #require(begun.json["secret"]?.stringValue))
            #expect(try await gateway.post("/auth/totp/confirm", now, ["code": .string(try Self.code(secret))]).status == 200)
            _ = try await gateway.post("/auth/password/forgot", nil, ["email": .string(squatter.email)])
            let next = try await gateway.mailedToken("password_reset", to: squatter.email)
            #expect(
                try await gateway.post("/auth/password/reset", nil, ["token": .string(next), "password": .string(password)]).status == 204
            )
            #expect(try await gateway.login(squatter.email, password).json["type"] == "/problems/second-factor-required")
        }
    }
}
