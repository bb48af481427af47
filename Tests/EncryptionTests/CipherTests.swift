import Foundation
import Models
import Testing

@testable import Encryption

@Suite struct CipherTests {
    let ring: KeyRing
    let cipher: Cipher
    let context = CipherContext(organization: OrganizationID(7), row: "integrations:12", field: "credential")
    let secret = Array("pat-na1-secret".utf8)

    init() throws {
        self.ring = try KeyRing(current: randomKey(), previous: [], development: false)
        self.cipher = try Cipher(self.ring, purpose: "credentials")
    }

    @Test(arguments: [0, 1, 15, 16, 17, 1024, 100_000])
    func whatIsSealedOpens(length: Int) throws {
        let plaintext = try RandomToken.bytes(length)
        let envelope = try self.cipher.seal(plaintext, for: self.context)
        #expect(envelope.count == length + Cipher.overhead)
        #expect(try self.cipher.open(envelope, for: self.context) == plaintext)
    }

    @Test func ciphertextMovedElsewhereFailsToOpen() throws {
        let envelope = try self.cipher.seal(self.secret, for: self.context)
        for other in [
            CipherContext(organization: OrganizationID(8), row: "integrations:12", field: "credential"),
            CipherContext(organization: OrganizationID(7), row: "integrations:13", field: "credential"),
            CipherContext(organization: OrganizationID(7), row: "integrations:12", field: "refresh_token"),
            // The same letters, divided otherwise.
            CipherContext(organization: OrganizationID(7), row: "integrations:12c", field: "redential"),
            CipherContext(organization: OrganizationID(7), row: "", field: "integrations:12credential"),
        ] {
            #expect(kind { try self.cipher.open(envelope, for: other) } == .authentication)
        }
        let elsewhere = try Cipher(self.ring, purpose: "idempotency")
        #expect(kind { try elsewhere.open(envelope, for: self.context) } == .authentication)
    }

    @Test func everyFlippedBitIsNoticed() throws {
        let envelope = try self.cipher.seal(self.secret, for: self.context)
        for index in envelope.indices {
            for bit in 0..<8 {
                var changed = envelope
                changed[index] ^= 1 << UInt8(bit)
                let expected: EncryptionError.Kind = index == 0 ? .malformed : index < 9 ? .unknownKey : .authentication
                #expect(kind { try self.cipher.open(changed, for: self.context) } == expected, "byte \(index), bit \(bit)")
            }
        }
    }

    @Test func truncatedAndExtendedEnvelopesFail() throws {
        let envelope = try self.cipher.seal(self.secret, for: self.context)
        for length in 0..<envelope.count {
            let expected: EncryptionError.Kind = length < Cipher.overhead ? .malformed : .authentication
            #expect(kind { try self.cipher.open(Array(envelope.prefix(length)), for: self.context) } == expected, "\(length) bytes")
        }
        #expect(kind { try self.cipher.open(envelope + [0], for: self.context) } == .authentication)
        #expect(
            kind { try self.cipher.open(Array("not an envelope, but long enough to be one, surely".utf8), for: self.context) } == .malformed
        )
    }

    @Test func previousKeyOpensAndCurrentSeals() throws {
        let (old, new) = (randomKey(), randomKey())
        let before = try Cipher(KeyRing(current: old, previous: [], development: false), purpose: "credentials")
        let during = try Cipher(KeyRing(current: new, previous: [old], development: false), purpose: "credentials")
        let after = try Cipher(KeyRing(current: new, previous: [], development: false), purpose: "credentials")
        let envelope = try before.seal(self.secret, for: self.context)
        #expect(!before.isStale(envelope))
        #expect(during.isStale(envelope))
        #expect(try during.open(envelope, for: self.context) == self.secret)
        let renewed = try during.seal(self.secret, for: self.context)
        #expect(!during.isStale(renewed))
        #expect(try after.open(renewed, for: self.context) == self.secret)
        #expect(kind { try after.open(envelope, for: self.context) } == .unknownKey)
        #expect(kind { try before.open(renewed, for: self.context) } == .unknownKey)
    }

    @Test func onlyEnvelopesOfPreviousKeysAreStale() throws {
        #expect(!self.cipher.isStale([]))
        #expect(!self.cipher.isStale([1, 2, 3]))
        let stranger = try Cipher(KeyRing(current: randomKey(), previous: [], development: false), purpose: "credentials")
        #expect(!self.cipher.isStale(try stranger.seal(self.secret, for: self.context)))
    }

    @Test func noncesOfAHundredThousandSealsAreUnique() throws {
        var nonces: Set<[UInt8]> = []
        for _ in 0..<100_000 { nonces.insert(Array(try self.cipher.seal([], for: self.context)[9..<33])) }
        #expect(nonces.count == 100_000)
    }

    @Test func manyTasksShareACipher() async throws {
        try await withThrowingTaskGroup(of: Set<[UInt8]>.self) { group in
            for task in 0..<32 {
                group.addTask {
                    let context = CipherContext(organization: OrganizationID(Int64(task)), row: "\(task)", field: "f")
                    var nonces: Set<[UInt8]> = []
                    for round in 0..<500 {
                        let plaintext = [UInt8](repeating: UInt8(task), count: round)
                        let envelope = try self.cipher.seal(plaintext, for: context)
                        nonces.insert(Array(envelope[9..<33]))
                        guard try self.cipher.open(envelope, for: context) == plaintext else { return [] }
                    }
                    return nonces
                }
            }
            var all: Set<[UInt8]> = []
            for try await nonces in group { all.formUnion(nonces) }
            #expect(all.count == 32 * 500)
        }
    }

    @Test func errorsSpeakOfNoData() throws {
        let envelope = try self.cipher.seal(self.secret, for: self.context)
        var changed = envelope
        changed[40] ^= 1
        do {
            _ = try self.cipher.open(changed, for: self.context)
            Issue.record("a changed envelope opened")
        } catch {
            #expect("\(error)" == "authentication: the ciphertext was changed or belongs elsewhere")
        }
    }
}

/// A fresh key as an operator would write it.
func randomKey() -> Secret {
    var generator = SystemRandomNumberGenerator()
    return Secret(Data((0..<32).map { _ in UInt8.random(in: .min ... .max, using: &generator) }).base64EncodedString())
}

/// The kind of error that `body` throws; nil when it throws none.
func kind(_ body: () throws -> some Any) -> EncryptionError.Kind? {
    do {
        _ = try body()
        return nil
    } catch let error as EncryptionError {
        return error.kind
    } catch {
        return nil
    }
}
