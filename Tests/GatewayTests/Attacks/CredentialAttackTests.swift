import Database
import Hummingbird
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Gateway

/// Guessed, mistaken and confused credentials. Replay of refresh tokens: `AccountTests.reuseOfARefreshTokenEndsTheFamily` and
/// `ofManyWhoShowOneRefreshTokenOneGetsIn`. Guessing at an address: `RateLimitTests.anAddressThatGuessesIsToldToWaitAndItsNeighbourWithAKeyIsNot`.
@Suite struct CredentialAttackTests {
    /// With the database away only what never asks it can be answered with 401.
    @Test func wrongChecksumsNeverReachTheDatabase() async throws {
        let away = Postgres(
            TestDatabase.configuration(.gateway, Secret("postgres://gateway:x@127.0.0.1:1/none")),
            logger: TestLog.quiet
        )
        let limits = LimitSettings(SettingsReader(environment: [:]))
        let authenticator = Authenticator(
            cache: CredentialCache(capacity: 10, lifetime: .seconds(1)),
            store: CredentialStore(database: away, limits: limits)
        )
        for kind in TokenFormat.allCases {
            let good = try kind.make().reveal()
            for wrong in [
                String(good.dropLast()) + (good.hasSuffix("a") ? "b" : "a"), String(good.dropLast()), good + "0", good.uppercased(),
                kind.rawValue, "' OR 1=1 --", "",
            ] {
                let problem = await #expect(throws: Problem.self) { try await authenticator.identify([.authorization: "Bearer \(wrong)"]) }
                #expect(problem == Credential.refused, "\(wrong)")
            }
        }
    }

    @Test func guessesEndIn429AtTheirAddress() async throws {
        try await withGateway(.init(variables: ["ADDRESS_RATE_LIMIT": "12", "TRUSTED_PROXIES": "127.0.0.1"])) { gateway in
            var statuses: [Int] = []
            // The window may end in between: then there are at most twelve more.
            while statuses.count < 25, statuses.last != 429 {
                let headers = [("X-API-Key", try TokenFormat.testKey.make().reveal()), ("X-Forwarded-For", "203.0.113.5")]
                statuses.append(try await gateway.door.send("GET", "/api/v1/contacts", headers: headers).status)
            }
            #expect(statuses.prefix(12).allSatisfy { $0 == 401 })
            #expect(statuses.last == 429)
            let neighbour = [("X-API-Key", try TokenFormat.testKey.make().reveal()), ("X-Forwarded-For", "203.0.113.6")]
            #expect(try await gateway.door.send("GET", "/api/v1/contacts", headers: neighbour).status == 401)
        }
    }

    /// Every token that the house makes, shown where another belongs, and what other houses' tokens look like.
    @Test func oneKindOfCredentialIsNotTakenForAnother() async throws {
        try await withGateway(TestGateway.proxied) { gateway in
            let member = try await gateway.register()
            let (_, key) = try await gateway.key(of: member, [.organizationRead])
            let verification = try await gateway.mailedToken("email_verification", to: member.email)
            let live = TokenFormat.liveKey.rawValue + key.dropFirst(TokenFormat.testKey.rawValue.count).prefix(TokenFormat.bodyLength)
            let access = TokenFormat.access.rawValue + member.refreshToken.dropFirst(4).prefix(TokenFormat.bodyLength)
            let none = "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIiwicm9sZSI6Im93bmVyIn0."
            let shown = [
                member.refreshToken, verification, live + TokenFormat.checksum(of: live), access + TokenFormat.checksum(of: access), none,
                "v1.e30.e30", "\(member.organization)", key + "," + member.accessToken,
            ]
            for token in shown {
                for header in [("Authorization", "Bearer \(token)"), ("X-API-Key", token)] {
                    let answer = try await gateway.door.send("GET", "/api/v1/api/public/user", headers: [header])
                    #expect(answer.status == 401, "\(header)")
                }
            }
            for scheme in ["Basic", "Digest", "Token", ""] {
                let answer = try await gateway.door.send(
                    "GET",
                    "/api/v1/auth/me",
                    headers: [("Authorization", "\(scheme) \(member.accessToken)")]
                )
                #expect(answer.status == 401, "\(scheme)")
            }
            // Access tokens and keys renew nothing, and reset and verify nothing.
            for (path, name) in [("refresh", "refresh_token"), ("email/verify", "token")] {
                for token in [member.accessToken, key, live + TokenFormat.checksum(of: live)] {
                    let answer = try await gateway.post("/auth/\(path)", nil, .object([name: .string(token)]))
                    #expect([401, 422].contains(answer.status), "\(path)")
                }
            }
            for token in [member.accessToken, verification] {
                let body: JSONValue = ["token": .string(token), "password": "another horse battery"]
                let answer = try await gateway.post("/auth/password/reset", nil, body)
                #expect([401, 422].contains(answer.status))
            }
            #expect(try await gateway.login(member.email).status == 200)
        }
    }

    private static let adminOnly = ["/api/v1/integrations", "/api/v1/api/keys", "/api/v1/admin/audit-logs", "/api/v1/members"]

    /// Other spellings of paths that need an administrator, with a viewer's token and with none: refused as the plain path or not known.
    @Test func pathTricksDoNotPassTheAuthorization() async throws {
        let upstream = FakeUpstream { _ in Response(status: .ok) }
        try await withUpstream(upstream) { url in
            try await withGateway(.init(upstream: url)) { gateway in
                let viewer = try await gateway.register()
                try await gateway.setRole(of: viewer, .viewer)
                for path in Self.adminOnly {
                    let last = path.split(separator: "/").last.map(String.init) ?? ""
                    let parent = String(path.dropLast(last.count + 1))
                    let first = last.utf8.first.map { "%" + String($0, radix: 16) } ?? ""
                    let spellings = [
                        path, "\(path)/", "\(path)//", "/\(path)", "\(parent)//\(last)", "\(parent)/./\(last)", "\(parent)/x/../\(last)",
                        "\(parent)/%2e/\(last)", "\(parent)/x/%2e%2e/\(last)", "\(parent)/%2E%2E\(path)",
                        "\(parent)/\(first)\(last.dropFirst())",
                        "\(parent)/\(last.uppercased())", path.uppercased(), "\(path)?", "\(path);a=b", "\(path)%20", "\(path)%00",
                        "\(path)%2f", "\(path)\\", "\(path).json", "\(parent)%2f\(last)", "\(path)#x", "http://gateway.test\(path)",
                        "//evil.example\(path)", "/docs/..\(path)", "/docs/%2e%2e\(path)", "/healthz/..\(path)", "*",
                    ]
                    for spelling in spellings {
                        for (who, headers) in [("viewer", viewer.bearer), ("nobody", [])] {
                            for method in ["GET", "POST"] {
                                let status = try await gateway.door.send(method, spelling, headers: headers).status
                                // The plain path, which a viewer may read, also with an empty query or in absolute form.
                                let mayRead = path == "/api/v1/integrations" && who == "viewer" && method == "GET"
                                let expected = mayRead ? [200, 400, 404] : [400, 401, 403, 404, 405]
                                #expect(expected.contains(status), "\(method) \(spelling) by \(who): \(status)")
                            }
                        }
                    }
                }
                // A viewer may read integrations; nothing else of the list, in no spelling, was let through.
                #expect(upstream.received.allSatisfy { $0.path.hasPrefix("/api/v1/integrations") && $0.method == "GET" })
            }
        }
    }

    /// Headers by which other servers override what was authorized.
    @Test(arguments: [
        "X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix", "X-Method-Override", "X-Organization-Id",
        "X-User-Id", "X-Role", "Switchboard-Organization",
    ]) func headersOverrideNothing(_ name: String) async throws {
        let upstream = FakeUpstream { _ in Response(status: .ok) }
        try await withUpstream(upstream) { url in
            try await withGateway(.init(upstream: url)) { gateway in
                let member = try await gateway.register()
                try await gateway.setRole(of: member, .viewer)
                for value in ["DELETE", "/internal/changes", "owner", "1"] {
                    let headers = member.bearer + [(name, value)]
                    #expect(try await gateway.door.send("GET", "/api/v1/contacts", headers: headers).status == 200)
                    #expect(try await gateway.door.send("POST", "/api/v1/campaigns", headers: headers, body: [:]).status == 403)
                }
                #expect(upstream.received.allSatisfy { $0.method == "GET" && $0.path == "/api/v1/contacts" })
            }
        }
    }
}
