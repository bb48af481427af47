import Database
import Foundation
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Gateway

/// Changing, rotating and restricting keys.
@Suite struct KeyLifeTests {
    private func user(_ door: TestDoor, _ key: String) async throws -> TestDoor.Answer {
        try await door.send("GET", "/api/v1/api/public/user", headers: [("X-API-Key", key)])
    }

    private func rotate(_ gateway: TestGateway, _ id: Int64, _ headers: [(String, String)], grace: Int64? = nil) async throws
        -> TestDoor.Answer
    {
        let body: JSONValue = grace.map { ["grace_seconds": .integer($0)] } ?? [:]
        return try await gateway.door.send("POST", "/api/v1/api/keys/\(id)/rotate", headers: headers, body: body)
    }

    private func patch(_ gateway: TestGateway, _ id: Int64, _ headers: [(String, String)], _ body: JSONValue) async throws
        -> TestDoor.Answer
    {
        try await gateway.door.send("PATCH", "/api/v1/api/keys/\(id)", headers: headers, body: body)
    }

    // MARK: - Rotation

    @Test func rotatedKeyEndsAtOnceInEveryReplica() async throws {
        try await withGateway(.init(replicas: 2, runsWorkers: true)) { gateway in
            let member = try await gateway.register()
            for gateway in gateway.gateways { while !gateway.cache.isTrusted { await Task.yield() } }
            let (id, old) = try await gateway.key(of: member, [.organizationRead])
            for door in gateway.replicas { #expect(try await self.user(door, old).status == 200) }
            let rotated = try await self.rotate(gateway, id, member.bearer)
            #expect(rotated.status == 201)
            #expect(rotated.json["id"] == .integer(id))
            let new = try #require(rotated.json["key"]?.stringValue)
            #expect(rotated.json["prefix"] == .string(String(new.prefix(13))))
            let start = ContinuousClock.now
            while try await self.user(gateway.replicas[1], old).status == 200 {}
            #expect(ContinuousClock.now - start < .seconds(1))
            for door in gateway.replicas {
                #expect(try await self.user(door, old).status == 401)
                #expect(try await self.user(door, new).json["key"]?["id"] == .integer(id))
            }
        }
    }

    @Test func oldStringWorksUntilItsGraceEnds() async throws {
        try await withGateway(.init(runsWorkers: true)) { gateway in
            let member = try await gateway.register()
            while !gateway.gateways[0].cache.isTrusted { await Task.yield() }
            let (id, old) = try await gateway.key(of: member, [.organizationRead])
            let start = ContinuousClock.now
            let new = try #require(try await self.rotate(gateway, id, member.bearer, grace: 2).json["key"]?.stringValue)
            #expect(try await self.user(gateway.door, new).status == 200)
            #expect(try await self.user(gateway.door, old).status == 200 || ContinuousClock.now - start > .seconds(2))
            // Also out of the cache, which would remember it for longer.
            while try await self.user(gateway.door, old).status == 200 { try await Task.sleep(for: .milliseconds(50)) }
            #expect(ContinuousClock.now - start > .seconds(2))
            #expect(ContinuousClock.now - start < .seconds(6))
            #expect(try await self.user(gateway.door, new).status == 200)
        }
    }

    @Test func fewOldStringsLiveAndNoGraceEndsThemAll() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (id, first) = try await gateway.key(of: member, [.organizationRead])
            var keys = [first]
            for _ in 0..<3 {
                keys.append(try #require(try await self.rotate(gateway, id, member.bearer, grace: 600).json["key"]?.stringValue))
            }
            for key in keys { #expect(try await self.user(gateway.door, key).status == 200) }
            #expect(try await self.rotate(gateway, id, member.bearer, grace: 600).status == 409)
            #expect(try await self.user(gateway.door, keys[3]).status == 200)
            let last = try #require(try await self.rotate(gateway, id, member.bearer, grace: 0).json["key"]?.stringValue)
            for key in keys { #expect(try await self.user(gateway.door, key).status == 401) }
            #expect(try await self.user(gateway.door, last).status == 200)
            #expect(try await self.rotate(gateway, id, member.bearer, grace: 604_801).status == 422)
            #expect(try await gateway.door.send("DELETE", "/api/v1/api/keys/\(id)", headers: member.bearer).status == 204)
            #expect(try await self.rotate(gateway, id, member.bearer).status == 409)
        }
    }

    @Test func repeatedRotationUnderOneIdempotencyKeyGivesOneString() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (id, _) = try await gateway.key(of: member, [.organizationRead])
            let headers = member.bearer + [("Idempotency-Key", "r-1")]
            let first = try await self.rotate(gateway, id, headers)
            #expect(try await self.rotate(gateway, id, headers).body == first.body)
            #expect(try await self.user(gateway.door, try #require(first.json["key"]?.stringValue)).status == 200)
        }
    }

    @Test func aRepeatedCreateIsAnsweredFromTheFirstWhenTheKeyHasExpired() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let end = Date().addingTimeInterval(1)
            let headers = member.bearer + [("Idempotency-Key", "k-1")]
            let body: JSONValue = ["name": "brief", "scopes": ["organization:read"], "expires_at": .string(Timestamp.format(end))]
            let first = try await gateway.door.send("POST", "/api/v1/api/keys", headers: headers, body: body)
            #expect(first.status == 201)
            while Date() <= end { try await Task.sleep(for: .milliseconds(50)) }
            let again = try await gateway.door.send("POST", "/api/v1/api/keys", headers: headers, body: body)
            #expect(again.status == 201)
            #expect(again.body == first.body)
        }
    }

    // MARK: - Changes

    @Test func changesApplyAtOnceAndAreAudited() async throws {
        try await withGateway(.init(replicas: 2, runsWorkers: true)) { gateway in
            let member = try await gateway.register()
            for gateway in gateway.gateways { while !gateway.cache.isTrusted { await Task.yield() } }
            let (id, key) = try await gateway.key(of: member, [.organizationRead, .contactsRead], limit: 50)
            #expect(try await self.user(gateway.replicas[1], key).header("X-RateLimit-Limit") == "50")
            let change: JSONValue = ["name": "renamed", "scopes": ["organization:read"], "rate_limit": 7]
            let changed = try await self.patch(gateway, id, member.bearer, change)
            #expect(changed.status == 200)
            #expect(changed.json["name"] == "renamed")
            #expect(changed.json["scopes"] == ["organization:read"])
            let start = ContinuousClock.now
            while try await self.user(gateway.replicas[1], key).header("X-RateLimit-Limit") != "7" {}
            #expect(ContinuousClock.now - start < .seconds(1))
            #expect(try await self.patch(gateway, id, member.bearer, ["rate_limit": nil]).json["rate_limit"] == .null)
            let details = try await gateway.database.runtime.readFirst(
                "SELECT details FROM audit_logs WHERE action = 'key.updated' ORDER BY position LIMIT 1",
                as: JSONValue.self
            )
            #expect(details?["before"] == ["name": "test", "rate_limit": 50, "scopes": ["contacts:read", "organization:read"]])
            #expect(details?["after"] == ["name": "renamed", "rate_limit": 7, "scopes": ["organization:read"]])
        }
    }

    @Test func changesNeverEscalate() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (ownersID, _) = try await gateway.key(of: member, [.organizationRead])
            #expect(try await self.patch(gateway, ownersID, member.bearer, ["role": "owner"]).status == 200)
            let (plainID, _) = try await gateway.key(of: member, [.organizationRead])
            try await gateway.setRole(of: member, .admin)
            // A key that may do more than the asker is not theirs to change, nor to get a new string of.
            #expect(try await self.patch(gateway, ownersID, member.bearer, ["name": "mine"]).status == 403)
            #expect(try await self.rotate(gateway, ownersID, member.bearer).status == 403)
            let above = try await self.patch(gateway, plainID, member.bearer, ["role": "owner"])
            #expect(above.status == 422)
            let faults = try await self.patch(
                gateway,
                plainID,
                member.bearer,
                ["role": nil, "scopes": ["campaigns:write"], "rate_limit": 0, "allowed_cidrs": ["10.0.0.0/33"], "secret": 1]
            )
            #expect(
                Set(faults.json["errors"]?.arrayValue?.compactMap { $0["pointer"]?.stringValue } ?? [])
                    == ["/role", "/scopes", "/rate_limit", "/allowed_cidrs/0", "/secret"]
            )
        }
    }

    @Test func keysChangeOnlyThemselvesAndTheirOwnWithinTheirBounds() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (id, key) = try await gateway.key(of: member, [.keysWrite, .organizationRead], limit: 20)
            let (siblingID, _) = try await gateway.key(of: member, [.organizationRead])
            let own = [("X-API-Key", key)]
            #expect(try await self.patch(gateway, siblingID, own, ["name": "taken"]).status == 403)
            #expect(try await self.rotate(gateway, siblingID, own).status == 403)
            #expect(try await self.patch(gateway, id, own, ["rate_limit": nil]).status == 422)
            #expect(try await self.patch(gateway, id, own, ["rate_limit": 15]).status == 200)
            let child = try await gateway.door.send(
                "POST",
                "/api/v1/api/keys",
                headers: own,
                body: ["name": "child", "scopes": ["organization:read"], "rate_limit": 15]
            )
            let childID = try #require(child.json["id"]?.integerValue)
            #expect(child.json["parent_id"] == .integer(id))
            #expect(try await self.patch(gateway, childID, own, ["rate_limit": 16]).status == 422)
            // Not by a member either: what a key made stays within it.
            #expect(try await self.patch(gateway, childID, member.bearer, ["scopes": ["contacts:read"]]).status == 422)
            #expect(try await self.patch(gateway, childID, member.bearer, ["rate_limit": 5]).status == 200)
        }
    }

    @Test func keysOfAKeyShrinkWithItAndNameItsLimit() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let (id, key) = try await gateway.key(of: member, [.keysWrite, .organizationRead, .contactsRead], limit: 20)
            let made = try await gateway.door.send(
                "POST",
                "/api/v1/api/keys",
                headers: [("X-API-Key", key)],
                body: ["name": "child", "scopes": ["organization:read", "contacts:read"], "rate_limit": 20]
            )
            let child = try #require(made.json["key"]?.stringValue)
            let store = CredentialStore(database: gateway.database.runtime, limits: LimitSettings(SettingsReader(environment: [:])))
            let known = try #require(try await store.key(try TokenDigest(child))?.known)
            let above = LimitSubject.key(member.organization, APIKeyID(id))
            #expect(known.limits.first { $0.subject == above } == Limit(subject: above, policy: .hour, units: 20))
            #expect(known.tags.contains(.key(member.organization, APIKeyID(id))))
            let change: JSONValue = ["scopes": ["keys:write", "organization:read"], "allowed_cidrs": ["127.0.0.0/8"], "rate_limit": 9]
            #expect(try await self.patch(gateway, id, member.bearer, change).status == 200)
            let shrunk = try #require(try await store.key(try TokenDigest(child))?.known)
            #expect(shrunk.principal.scopes == [.organizationRead])
            #expect(shrunk.limits.filter { $0.subject == above }.map(\.units) == [9])
            // What the child uses counts for the key above it.
            for _ in 0..<9 { _ = try await gateway.door.send("GET", "/api/v1/api/public/user", headers: [("X-API-Key", child)]) }
            let refused = try await gateway.door.send("GET", "/api/v1/api/public/user", headers: [("X-API-Key", key)])
            #expect(refused.status == 429)
            #expect(throws: Problem.self) { try shrunk.admits(address: "192.0.2.1") }
            try shrunk.admits(address: "127.0.0.1")
        }
    }

    @Test func liveKeysAndGenerationsAreCapped() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            var (_, key) = try await gateway.key(of: member, [.keysWrite, .organizationRead])
            let body: JSONValue = ["name": "n", "scopes": ["keys:write", "organization:read"]]
            for _ in 1..<APIKeyOffice.deepestLine {
                let made = try await gateway.door.send("POST", "/api/v1/api/keys", headers: [("X-API-Key", key)], body: body)
                key = try #require(made.json["key"]?.stringValue)
            }
            #expect(try await gateway.door.send("POST", "/api/v1/api/keys", headers: [("X-API-Key", key)], body: body).status == 409)
            try await gateway.database.runtime.write(
                """
                INSERT INTO api_keys (organization_id, name, prefix, key_hash, created_by, role, scopes)
                SELECT \(member.organization), 'n', 'p', sha256(n::text::bytea), \(member.user), 'viewer', '{organization:read}'
                FROM generate_series(1, \(APIKeyOffice.mostLiveKeys - APIKeyOffice.deepestLine)) AS n
                """
            )
            let full = try await gateway.door.send("POST", "/api/v1/api/keys", headers: member.bearer, body: body)
            #expect(full.status == 409)
            try await gateway.database.runtime.write("UPDATE api_keys SET revoked_at = now() WHERE name = 'n' AND prefix = 'p'")
            #expect(try await gateway.door.send("POST", "/api/v1/api/keys", headers: member.bearer, body: body).status == 201)
        }
    }

    // MARK: - Addresses

    @Test func keyWorksFromItsNetworksOnlyAlsoOutOfTheCache() async throws {
        var settings = TestGateway.Settings(runsWorkers: true)
        settings.variables["TRUSTED_PROXIES"] = "127.0.0.1"
        try await withGateway(settings) { gateway in
            let member = try await gateway.register()
            while !gateway.gateways[0].cache.isTrusted { await Task.yield() }
            let body: JSONValue = [
                "name": "office", "scopes": ["organization:read"], "allowed_cidrs": ["192.0.2.77/24", "2001:DB8::/32"],
            ]
            let made = try await gateway.door.send("POST", "/api/v1/api/keys", headers: member.bearer, body: body)
            #expect(made.json["allowed_cidrs"] == ["192.0.2.0/24", "2001:db8::/32"])
            let key = try #require(made.json["key"]?.stringValue)
            let expected = [
                "192.0.2.200": 200, "::ffff:192.0.2.9": 200, "2001:db8:7::1": 200, "192.0.3.1": 403, "2001:db9::1": 403, "::1": 403,
            ]
            for _ in 0..<2 {
                for (address, status) in expected {
                    let headers = [("X-API-Key", key), ("X-Forwarded-For", address)]
                    let answer = try await gateway.door.send("GET", "/api/v1/api/public/user", headers: headers)
                    #expect(answer.status == status, "\(address)")
                    if status == 403 { #expect(answer.text.contains("may not be used from this address")) }
                }
            }
        }
    }

    @Test func networksAreReadAndWrittenInOneForm() throws {
        let texts = [
            "10.1.2.3/8": "10.0.0.0/8", "192.0.2.7": "192.0.2.7/32", "::ffff:10.0.0.0/104": "10.0.0.0/8", "2001:DB8::1/32": "2001:db8::/32",
            "0.0.0.0/0": "0.0.0.0/0", "::/0": "::/0",
        ]
        for (text, written) in texts { #expect(AddressRange(text)?.text == written, "\(text)") }
        for text in ["10.0.0.0/33", "::ffff:10.0.0.0/8", "10.0.0", "x", "", "10.0.0.0/-1", "10.0.0.0/"] {
            #expect(AddressRange(text) == nil, "\(text)")
        }
        let ten = try #require(AddressRange("10.0.0.0/8"))
        #expect(ten.contains(try #require(AddressRange("10.3.0.0/16"))))
        #expect(!ten.contains(try #require(AddressRange("0.0.0.0/0"))))
        #expect(!ten.contains(try #require(AddressRange("::/0"))))
    }
}
