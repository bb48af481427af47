import Database
import Models
import TestSupport
import Testing

@testable import Gateway

@Suite struct APIKeyTests {
    private func user(_ gateway: TestGateway, _ headers: [(String, String)]) async throws -> TestDoor.Answer {
        try await gateway.door.send("GET", "/api/v1/api/public/user", headers: headers)
    }

    @Test func keyIsShownOnceAndWorksInBothHeaders() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let body: JSONValue = ["name": "reports", "scopes": ["organization:read", "contacts:read"], "rate_limit": 10]
            let created = try await gateway.door.send("POST", "/api/v1/api/keys", headers: member.bearer, body: body)
            #expect(created.status == 201)
            let key = try #require(created.json["key"]?.stringValue)
            let id = try #require(created.json["id"]?.integerValue)
            #expect(key.hasPrefix("swb_test_"))
            #expect(created.json["prefix"] == .string(String(key.prefix(13))))
            #expect(created.json["role"] == "viewer")

            let answer = try await self.user(gateway, [("Authorization", "Bearer \(key)")])
            #expect(answer.status == 200)
            #expect(answer.json["key"]?["id"] == .integer(id))
            #expect(answer.json["key"]?["scopes"] == ["contacts:read", "organization:read"])
            #expect(try await self.user(gateway, [("X-API-Key", key)]).status == 200)
            #expect(try await self.user(gateway, [("X-API-Key", key), ("Authorization", "Bearer \(key)")]).status == 400)

            let got = try await gateway.door.send("GET", "/api/v1/api/keys/\(id)", headers: member.bearer)
            #expect(got.status == 200)
            #expect(got.json["key"] == nil)
            #expect(got.json["rate_limit"] == 10)
            let listed = try await gateway.door.send("GET", "/api/v1/api/keys", headers: member.bearer)
            #expect(listed.json["data"]?.arrayValue?.count == 1)
            #expect(listed.json["next_cursor"] == .null)
            #expect(!listed.text.contains(key))
            let stored = try await gateway.database.runtime.readFirst("SELECT row_to_json(k)::text FROM api_keys k", as: String.self)
            #expect(stored?.contains(key) == false)
        }
    }

    @Test func revokedKeyIsRefusedAndStaysListed() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (id, key) = try await gateway.key(of: member, [.organizationRead])
            let revoked = try await gateway.door.send("DELETE", "/api/v1/api/keys/\(id)", headers: member.bearer)
            #expect(revoked.status == 204)
            #expect(try await self.user(gateway, [("X-API-Key", key)]).status == 401)
            #expect(try await gateway.door.send("DELETE", "/api/v1/api/keys/\(id)", headers: member.bearer).status == 204)
            let got = try await gateway.door.send("GET", "/api/v1/api/keys/\(id)", headers: member.bearer)
            #expect(got.json["revoked_at"]?.stringValue != nil)
            #expect(try await gateway.audited(member.organization).suffix(2) == ["key.created", "key.revoked"])
        }
    }

    @Test func idempotentCreationMakesOneKey() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let body: JSONValue = ["name": "once", "scopes": ["organization:read"]]
            let headers = member.bearer + [("Idempotency-Key", "k-1")]
            let first = try await gateway.door.send("POST", "/api/v1/api/keys", headers: headers, body: body)
            let second = try await gateway.door.send("POST", "/api/v1/api/keys", headers: headers, body: body)
            #expect(first.status == 201)
            #expect(second.status == 201)
            #expect(first.body == second.body)
            let count = try await gateway.database.runtime.readFirst("SELECT COUNT(*) FROM api_keys", as: Int64.self)
            #expect(count == 1)
        }
    }

    @Test func viewerMayNotMakeKeys() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            try await gateway.setRole(of: member, .viewer)
            let body: JSONValue = ["name": "k", "scopes": ["contacts:read"]]
            #expect(try await gateway.door.send("POST", "/api/v1/api/keys", headers: member.bearer, body: body).status == 403)
            #expect(try await gateway.door.send("GET", "/api/v1/api/keys", headers: member.bearer).status == 403)
            #expect(try await gateway.door.send("GET", "/api/v1/auth/me", headers: member.bearer).status == 200)
        }
    }

    @Test func keyNeverDoesMoreThanItsMakerMayNow() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (_, key) = try await gateway.key(of: member, [.keysRead, .organizationRead])
            let list = [("X-API-Key", key)]
            #expect(try await gateway.door.send("GET", "/api/v1/api/keys", headers: list).status == 200)
            try await gateway.setRole(of: member, .editor)
            #expect(try await gateway.door.send("GET", "/api/v1/api/keys", headers: list).status == 403)
            #expect(try await self.user(gateway, list).json["role"] == "editor")
            try await gateway.database.owner.write("DELETE FROM memberships WHERE user_id = \(member.user)")
            #expect(try await self.user(gateway, list).status == 401)
        }
    }

    @Test func revokingAKeyRevokesTheKeysItMade() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (id, parent) = try await gateway.key(of: member, [.keysWrite, .organizationRead], limit: 20)
            let body: JSONValue = ["name": "child", "scopes": ["organization:read"], "rate_limit": 20]
            let greedy: JSONValue = ["name": "child", "scopes": ["organization:read"]]
            #expect(try await gateway.door.send("POST", "/api/v1/api/keys", headers: [("X-API-Key", parent)], body: greedy).status == 422)
            let made = try await gateway.door.send("POST", "/api/v1/api/keys", headers: [("X-API-Key", parent)], body: body)
            #expect(made.status == 201)
            let child = try #require(made.json["key"]?.stringValue)
            #expect(try await self.user(gateway, [("X-API-Key", child)]).status == 200)
            #expect(try await gateway.door.send("DELETE", "/api/v1/api/keys/\(id)", headers: member.bearer).status == 204)
            #expect(try await self.user(gateway, [("X-API-Key", child)]).status == 401)
        }
    }

    @Test func anotherOrganizationsKeyIsAsAMissingOne() async throws {
        try await withGateway { gateway in
            let mine = try await gateway.register("ada@example.com")
            let other = try await gateway.register("eve@example.com")
            let (id, _) = try await gateway.key(of: mine, [.organizationRead])
            for method in ["GET", "DELETE"] {
                let foreign = try await gateway.door.send(method, "/api/v1/api/keys/\(id)", headers: other.bearer)
                let missing = try await gateway.door.send(method, "/api/v1/api/keys/999999", headers: other.bearer)
                #expect(foreign.status == 404)
                let (requestID, otherID) = (
                    try #require(foreign.json["request_id"]?.stringValue), try #require(missing.json["request_id"]?.stringValue)
                )
                #expect(foreign.text.replacing(requestID, with: "") == missing.text.replacing(otherID, with: ""))
                #expect(foreign.headers.map(\.name) == missing.headers.map(\.name))
            }
            let found = try await gateway.door.send("GET", "/api/v1/api/keys/\(id)", headers: mine.bearer)
            #expect(found.json["revoked_at"] == .null)
        }
    }

    @Test func expiredKeyIsRefused() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (_, key) = try await gateway.key(of: member, [.organizationRead])
            try await gateway.database.runtime.write("UPDATE api_keys SET expires_at = now() - INTERVAL '1 second'")
            #expect(try await self.user(gateway, [("X-API-Key", key)]).status == 401)
        }
    }

    @Test func lastUseIsWrittenInBatches() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (id, key) = try await gateway.key(of: member, [.organizationRead])
            let used = LastUsed(store: APIKeyStore(database: gateway.database.runtime), logger: TestLog.quiet)
            used.note(APIKeyID(id), of: member.organization, address: "192.0.2.7", agent: String(repeating: "a", count: 300))
            try await used.flush()
            let got = try await gateway.door.send("GET", "/api/v1/api/keys/\(id)", headers: member.bearer)
            #expect(got.json["last_used_at"]?.stringValue != nil)
            #expect(got.json["last_used_address"] == "192.0.2.7")
            #expect(got.json["last_used_agent"]?.stringValue?.count == 200)
            #expect(!key.isEmpty)
        }
    }
}
