import Database
import Encryption
import Foundation
import HTTPTypes
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Webhooks

@Suite struct SigningKeyRouteTests {
    private static let path = "/api/v1/webhooks/keys"

    private func set(of organization: String) -> String { "\(Self.path)/\(organization)/jwks.json" }

    @Test func theFirstListMakesTheKeyThatSigns() async throws {
        try await Fixture.running { fixture in
            let first = try await fixture.call(.get, Self.path, as: .viewer)
            let second = try await fixture.call(.get, Self.path, as: .viewer)
            #expect(first.status == 200)
            #expect(first.json == second.json)
            let keys = try #require(first.json["data"]?.arrayValue)
            let key = try #require(keys.first)
            #expect(keys.count == 1)
            #expect(key["algorithm"] == "ed25519")
            #expect(key["state"] == "current")
            #expect(key["retired_at"] == .null)
            let text = try #require(key["public_key"]?.stringValue)
            let raw = try #require(Data(base64Encoded: String(text.dropFirst(5))))
            #expect(text.hasPrefix("whpk_"))
            #expect(raw.count == 32)
            #expect(key["pem"]?.stringValue?.contains(raw.base64EncodedString().suffix(40)) == true)
            #expect(
                try await fixture.parts.signingKeys.signingKeys(of: OrganizationID(1)).map { Int64($0.id.rawValue) } == [
                    key["id"]?.integerValue
                ]
            )
        }
    }

    @Test func rotatesOnceUnderOneKeyAndTellsTheAudit() async throws {
        try await Fixture.running { fixture in
            let old = try #require(try await fixture.call(.get, Self.path).json["data"]?.arrayValue?.first?["id"]?.integerValue)
            let first = try await fixture.call(.post, "\(Self.path)/rotate", [:], idempotencyKey: "one")
            let second = try await fixture.call(.post, "\(Self.path)/rotate", [:], idempotencyKey: "one")
            #expect(first.status == 201)
            #expect(first.json == second.json)
            #expect(first.json["state"] == "current")
            let new = try #require(first.json["id"]?.integerValue)
            let listed = try await fixture.call(.get, Self.path).json["data"]?.arrayValue ?? []
            #expect(listed.map { $0["id"] } == [.integer(new), .integer(old)])
            #expect(listed.map { $0["state"] } == ["current", "previous"])
            #expect(listed.last?["retired_at"]?.stringValue != nil)
            // In this process the new key signs at once.
            #expect(try await fixture.parts.signingKeys.signingKeys(of: OrganizationID(1)).map(\.id.rawValue) == [new, old])

            let audited = try await fixture.database.runtime.read(
                "SELECT body FROM outbox WHERE destination = 'gateway'",
                as: JSONValue.self
            )
            #expect(audited.count == 1)
            #expect(audited.first?["action"] == "signing_key.rotated")
            #expect(audited.first?["target"] == .string("signing_key:\(new)"))
            #expect(audited.first?["details"] == ["replaced": .integer(old), "grace_seconds": 86_400])
        }
    }

    @Test func namesEveryFaultOfARotation() async throws {
        try await Fixture.running { fixture in
            let reply = try await fixture.call(.post, "\(Self.path)/rotate", ["grace_seconds": 604_801, "id": 5])
            #expect(reply.status == 422)
            #expect(reply.faultPointers.sorted() == ["/grace_seconds", "/id"])
            #expect(try await fixture.count("SELECT count(*) AS n FROM signing_keys") == 0)
        }
    }

    @Test(arguments: [Role.viewer, .editor]) func lowerRolesReadButDoNotRotate(_ role: Role) async throws {
        try await Fixture.running { fixture in
            let rotated = try await fixture.call(.post, "\(Self.path)/rotate", [:], as: role)
            let listed = try await fixture.call(.get, Self.path, as: role)
            #expect(rotated.status == 403)
            #expect(listed.status == 200)
        }
    }

    @Test func pagesAreNewestFirst() async throws {
        try await Fixture.running { fixture in
            for _ in 0..<3 { _ = try await fixture.call(.post, "\(Self.path)/rotate", [:]) }
            let first = try await fixture.call(.get, "\(Self.path)?limit=2")
            let cursor = try #require(first.json["next_cursor"]?.stringValue)
            let second = try await fixture.call(.get, "\(Self.path)?limit=2&cursor=\(cursor)")
            let ids = [first, second].flatMap { $0.json["data"]?.arrayValue ?? [] }.compactMap { $0["id"]?.integerValue }
            #expect(ids.count == 3)
            #expect(ids == ids.sorted(by: >))
            #expect(second.json["next_cursor"] == .null)
        }
    }

    @Test func theKeySetIsForEveryoneAndMakesNothing() async throws {
        try await Fixture.running { fixture in
            let before = try await fixture.callAsPeer(.get, self.set(of: "1"), from: .gateway)
            #expect(before.status == 200)
            #expect(before.json == ["keys": []])
            #expect(try await fixture.count("SELECT count(*) AS n FROM signing_keys") == 0)

            let key = try #require(try await fixture.call(.get, Self.path).json["data"]?.arrayValue?.first)
            let after = try await fixture.callAsPeer(.get, self.set(of: "1"), from: .gateway)
            #expect(after.headers[.contentType] == "application/jwk-set+json")
            #expect(after.headers[.cacheControl] == "public, max-age=300")
            let keys = try #require(after.json["keys"]?.arrayValue)
            #expect(keys.count == 1)
            #expect(keys.first?["kid"]?.stringValue == key["id"]?.integerValue.map(String.init))
            #expect(try await fixture.callAsPeer(.get, self.set(of: "2"), from: .gateway).json == ["keys": []])
            for malformed in ["0", "x", "-1", "01", "9223372036854775808"] {
                #expect(try await fixture.callAsPeer(.get, self.set(of: malformed), from: .gateway).status == 404, "\(malformed)")
            }
            // Strangers come through the gateway alone.
            #expect(try await fixture.callAsPeer(.get, self.set(of: "1"), from: .campaigns).status == 403)
        }
    }

    /// Neither in answers and logs nor, unsealed, in a row.
    @Test func privateKeysStandNowhere() async throws {
        try await Fixture.running { fixture in
            let list = try await fixture.call(.get, Self.path)
            let rotated = try await fixture.call(.post, "\(Self.path)/rotate", [:])
            let told = list.json.text + rotated.json.text + fixture.log.text
            let rows = try await fixture.database.runtime.read(
                "SELECT to_jsonb(signing_keys) || jsonb_build_object('sealed', encode(private_key, 'hex')) AS row FROM signing_keys",
                as: JSONValue.self
            )
            #expect(rows.count == 2)
            for row in rows {
                let id = try #require(row["id"]?.integerValue)
                let sealed = try #require(row["sealed"]?.stringValue.flatMap { Hex.decode($0) })
                let context = CipherContext(organization: OrganizationID(1), row: "signing_keys/\(id)", field: "private_key")
                let seed = try fixture.parts.signingKeys.vault.cipher.open(sealed, for: context)
                #expect(seed.count == 32)
                for form in [Data(seed).base64EncodedString(), Base64URL.encode(seed), Hex.encode(seed)] {
                    #expect(!told.contains(form) && !row.text.contains(form))
                }
            }
        }
    }
}
