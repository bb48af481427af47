import Foundation
import Models
import Testing

@testable import Encryption

@Suite struct KeyRingTests {
    @Test(arguments: [
        "", "   ", "hunter2", "31 characters are not enough :(",
        "your-32-byte-encryption-key-here", "YOUR_32_BYTE_ENCRYPTION_KEY_HERE", "your-32-character-key-goes-in-here!",
        "changeme-changeme-changeme-changeme", "please-change-me-before-production", "replace-this-with-a-real-key-please",
        "super-secret-key-for-development!", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "abababababababababababababababababab",
        "0123456789abcdef0123456789abcdef", "abcdefghijklmnopqrstuvwxyzabcdefghijkl", "correct-horse-battery-staple-correct",
    ])
    func guessableKeysAreRefused(text: String) throws {
        let error = try #require(throws: EncryptionError.self) { try KeyRing(current: Secret(text), previous: [], development: false) }
        #expect(error.kind == .weakKey)
        #expect(error.detail.hasPrefix("ENCRYPTION_KEY "))
        if !text.trimmingCharacters(in: .whitespaces).isEmpty { #expect(!error.detail.contains(text)) }
    }

    static let patterns: [[UInt8]] = [
        [UInt8](repeating: 0, count: 32),
        [UInt8](repeating: 0xFF, count: 32),
        Array(0..<32),
        Array((0..<32).reversed()),
        stride(from: 0, to: 96, by: 3).map { UInt8($0) },
        Array(0..<16) + Array(0..<16),
        Array("your-32-byte-encryption-key-here".utf8),
    ]

    @Test(arguments: Self.patterns)
    func patternsInBase64AreRefused(bytes: [UInt8]) {
        #expect(kind { try KeyRing(current: base64(bytes), previous: [], development: false) } == .weakKey)
        #expect(kind { try KeyRing(current: randomKey(), previous: [base64(bytes)], development: false) } == .weakKey)
        #expect(kind { try KeyRing(current: base64(bytes), previous: [], development: true) } == nil)
    }

    @Test func randomKeysAreNeverCalledWeak() throws {
        for _ in 0..<2000 { _ = try KeyRing(current: randomKey(), previous: [], development: false) }
    }

    @Test func developmentTakesPlaceholdersButNotNothing() throws {
        _ = try KeyRing(current: Secret("your-32-byte-encryption-key-here"), previous: [], development: true)
        #expect(kind { try KeyRing(current: Secret(""), previous: [], development: true) } == .weakKey)
    }

    @Test func aKeyGivenTwiceIsRefused() throws {
        let (first, second) = (randomKey(), randomKey())
        #expect(kind { try KeyRing(current: first, previous: [first], development: false) } == .weakKey)
        #expect(kind { try KeyRing(current: first, previous: [second, second], development: false) } == .weakKey)
        // Spelled otherwise, it is still the same key.
        let spelled = Secret(first.reveal().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: ""))
        #expect(kind { try KeyRing(current: first, previous: [spelled], development: true) } == .weakKey)
    }

    @Test func passphraseGivesTheSameKeyEverywhere() throws {
        let passphrase = Secret("a long walk over the frozen river at dawn")
        let context = CipherContext(organization: OrganizationID(1), row: "r", field: "f")
        let first = try Cipher(KeyRing(current: passphrase, previous: [], development: false), purpose: "p")
        let second = try Cipher(KeyRing(current: Secret(passphrase.reveal() + "\n"), previous: [], development: false), purpose: "p")
        #expect(try second.open(try first.seal([1, 2, 3], for: context), for: context) == [1, 2, 3])
    }

    /// The stored data's format: these values may never change. Checked against Python's hashlib.scrypt and hmac.
    @Test func stretchingAndDerivationAreFrozen() throws {
        let ring = try KeyRing(current: Secret("a long walk over the frozen river at dawn"), previous: [], development: false)
        #expect(Hex.encode(ring.current.id) == "8f56b03230f66d64")
        #expect(Hex.encode(try ring.subkey("sessions")) == "c3f3ba3f88c94a44ce78e73b30b1bece11f1ea18620bcc3f24ebe39515d610ae")
    }

    @Test func subkeysDifferByPurposeAndFromTheCiphers() throws {
        let ring = try KeyRing(current: randomKey(), previous: [], development: false)
        #expect(try ring.subkey("a") == ring.subkey("a"))
        #expect(try ring.subkey("a") != ring.subkey("b"))
        let cipherKey = try ring.current.subkey("cipher", "a").withBytes { [UInt8]($0) }
        #expect(try ring.subkey("a") != cipherKey)
        #expect(try ring.subkey("a").count == 32)
    }

    private func base64(_ bytes: [UInt8]) -> Secret { Secret(Data(bytes).base64EncodedString()) }
}

@Suite struct KeyedTagsTests {
    @Test func tagsOutliveAChangeOfKeysAndNothingElse() throws {
        let (old, new) = (randomKey(), randomKey())
        let before = try KeyedTags(try KeyRing(current: old, previous: [], development: false), purpose: "chain")
        let after = try KeyedTags(try KeyRing(current: new, previous: [old], development: false), purpose: "chain")
        let message = Array("entry".utf8)
        let tag = try before.tag(message)
        #expect(try after.isValid(tag, for: message))
        #expect(try !after.isValid(tag, for: message + [0]))
        #expect(try after.tag(message).keyID != tag.keyID)
        let other = try KeyedTags(try KeyRing(current: old, previous: [], development: false), purpose: "other")
        #expect(try !other.isValid(tag, for: message))
        let forgetful = try KeyedTags(try KeyRing(current: new, previous: [], development: false), purpose: "chain")
        let error = try #require(throws: EncryptionError.self) { try forgetful.isValid(tag, for: message) }
        #expect(error.kind == .unknownKey)
    }
}
