import Encryption
import Foundation
import Models
import Testing

@testable import Webhooks

@Suite struct SigningTests {
    private static let body = Array(#"{"id":"evt_1"}"#.utf8)

    private func header(_ secrets: [WebhookSecret], _ keys: [SigningKey]) throws -> [String] {
        try WebhookSignature.header(id: "evt_1", timestamp: 1_764_000_000, body: Self.body, secrets: secrets, keys: keys)
            .split(separator: " ").map(String.init)
    }

    @Test func secretsComeFirstAndThenKeys() throws {
        let secrets = [try WebhookSecret.make(), try WebhookSecret.make()]
        let keys = try (1...2).map { SigningKey(id: SigningKeyID($0), key: try Ed25519.PrivateKey()) }
        for (count, keyCount) in [(1, 0), (2, 0), (1, 1), (2, 1), (2, 2), (0, 1)] {
            let parts = try self.header(Array(secrets.prefix(count)), Array(keys.prefix(keyCount)))
            let expected = Array(repeating: "v1", count: count) + Array(repeating: "v1a", count: keyCount)
            #expect(parts.map { $0.split(separator: ",").first.map(String.init) } == expected)
            #expect(Set(parts).count == parts.count)
            // Each stands for itself, whatever stands beside it.
            for (part, secret) in zip(parts, secrets.prefix(count)) { #expect(try self.header([secret], []) == [part]) }
        }
    }

    @Test func aSignatureIsOverIDTimestampAndBody() throws {
        let key = try Ed25519.PrivateKey()
        let part = try #require(try self.header([], [SigningKey(id: SigningKeyID(1), key: key)]).first)
        let signature = try #require(Data(base64Encoded: String(part.dropFirst(4))))
        #expect(part.hasPrefix("v1a,"))
        #expect(signature.count == 64)
        let signed = Array("evt_1.1764000000.".utf8) + Self.body
        let publicKey = try key.publicKey
        #expect(try Ed25519.isValid([UInt8](signature), for: signed, publicKey: publicKey))
        #expect(try !Ed25519.isValid([UInt8](signature), for: signed + [0x20], publicKey: publicKey))
        #expect(try !Ed25519.isValid([UInt8](signature), for: signed, publicKey: try Ed25519.PrivateKey().publicKey))
    }

    /// Test 2 of RFC 8032 section 7.1, its key in the forms of Standard Webhooks and of JWK.
    @Test func publicKeysAreWrittenAsReceiversReadThem() throws {
        let publicKey = try #require(Data(base64Encoded: "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw="))
        let key = PublishedKey(
            id: SigningKeyID(7),
            publicKey: [UInt8](publicKey),
            state: .current,
            createdAt: Date(timeIntervalSince1970: 0)
        )
        #expect(key.text == "whpk_PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=")
        let set = try JSONValue(parsing: try JSONCoding.encode(KeySetResponse([key])))
        let expected: JSONValue = [
            "kty": "OKP", "crv": "Ed25519", "x": "PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw", "kid": "7", "use": "sig", "alg": "EdDSA",
        ]
        #expect(set == ["keys": [expected]])
    }

    @Test func theCacheForgetsWhatIsOldAndWhatIsTooMuch() async throws {
        let keys = [SigningKey(id: SigningKeyID(1), key: try Ed25519.PrivateKey())]
        let cache = SigningKeyCache(lifetime: .seconds(60), capacity: 2)
        let now = ContinuousClock.now
        for number in 1...3 { cache.keep(keys, of: OrganizationID(Int64(number)), readAt: now - .seconds(10 - number)) }
        #expect(cache.fresh(of: OrganizationID(1)) == nil)
        #expect(cache.fresh(of: OrganizationID(2))?.count == 1)
        #expect(cache.fresh(of: OrganizationID(3))?.count == 1)
        cache.drop(OrganizationID(3))
        #expect(cache.fresh(of: OrganizationID(3)) == nil)
        cache.keep(keys, of: OrganizationID(2), readAt: now - .seconds(60))
        #expect(cache.fresh(of: OrganizationID(2)) == nil)
        #expect(cache.opened(SigningKeyID(1), of: OrganizationID(2)) != nil)
        #expect(cache.opened(SigningKeyID(2), of: OrganizationID(2)) == nil)
    }
}
