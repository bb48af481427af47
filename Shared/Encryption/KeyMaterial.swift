import Foundation
import Models
import Synchronization

/// What an operator wrote into `ENCRYPTION_KEY`: a raw key, or a passphrase that is stretched into one.
/// 43 or 44 characters of base64 (plain or URL-safe) that hold 32 bytes are a raw key; all else is a passphrase.
struct KeyMaterial {
    static let shortestPassphrase = 32

    private let name: String
    private let text: String
    private var raw: [UInt8]?

    /// - Throws: ``EncryptionError`` of kind `weakKey` where there is nothing.
    init(_ secret: Secret, name: String) throws {
        self.name = name
        self.text = secret.reveal().trimmingCharacters(in: .whitespacesAndNewlines)
        guard !self.text.isEmpty else { throw EncryptionError(kind: .weakKey, detail: "\(name) is missing") }
        self.raw = Self.decode(self.text)
    }

    private static func decode(_ text: String) -> [UInt8]? {
        let standard = text.replacing("-", with: "+").replacing("_", with: "/")
        let padded = standard.utf8.count % 4 == 0 ? standard : standard + String(repeating: "=", count: 4 - standard.utf8.count % 4)
        guard var data = Data(base64Encoded: padded), data.count == AESGCM.keyLength else { return nil }
        defer { data.resetBytes(in: data.startIndex..<data.endIndex) }
        return [UInt8](data)
    }

    /// The master key: the raw bytes, which leave this value, or scrypt of the passphrase.
    mutating func takeKey() throws -> SecretBytes {
        if var raw = self.raw.take() { return SecretBytes(taking: &raw) }
        return try Stretching.shared.stretch(self.text)
    }

    // MARK: - Weakness

    /// - Throws: ``EncryptionError`` of kind `weakKey` with the reason, for keys that a stranger could guess.
    func refuseWeakness() throws {
        if let reason = self.weakness() { throw EncryptionError(kind: .weakKey, detail: "\(self.name) \(reason)") }
    }

    private func weakness() -> String? {
        if let raw {
            // A readable sentence of 32 characters, wrapped in base64, is no better than the sentence.
            if let sentence = String(validating: raw, as: UTF8.self), let reason = Self.placeholder(sentence) { return reason }
            return Self.pattern(raw)
        }
        if self.text.count < Self.shortestPassphrase {
            return "is too short: 32 bytes in base64 (openssl rand -base64 32) or a passphrase of at least 32 characters are wanted"
        }
        return Self.placeholder(self.text) ?? Self.pattern(Array(self.text.utf8))
    }

    /// Tell-tale words of documentation, samples and keyboards, sought among the letters and digits alone.
    private static let placeholders = [
        "32byte", "32character", "encryptionkey", "secretkey", "masterkey", "keyhere", "yourkey", "yoursecret", "samplekey", "examplekey",
        "testkey", "devkey", "defaultkey", "changeme", "changethis", "replaceme", "replacethis", "replacewith", "placeholder", "insecure",
        "donotuse", "dontuse", "notsecret", "notasecret", "notforproduction", "supersecret", "topsecret", "passphrase", "password",
        "correcthorsebattery", "qwerty", "asdfgh", "loremipsum",
    ]

    private static func placeholder(_ text: String) -> String? {
        let letters = text.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }
        return self.placeholders.contains { letters.contains($0) } ? "is a well-known placeholder" : nil
    }

    /// Random 32 bytes hold about 30 different values, and 32 characters of English about 14: what is below is a pattern.
    private static let leastDistinct = 8

    private static func pattern(_ bytes: [UInt8]) -> String? {
        if Set(bytes).count < self.leastDistinct { return "consists of a few repeated characters" }
        for length in 1...(bytes.count / 2) where zip(bytes, bytes.dropFirst(length)).allSatisfy({ $0 == $1 }) {
            return "repeats itself"
        }
        let steps = zip(bytes, bytes.dropFirst()).map { $1 &- $0 }
        let commonest = Dictionary(grouping: steps, by: \.self).values.map(\.count).max() ?? 0
        return commonest * 2 > steps.count ? "is an ascending or descending sequence" : nil
    }
}

/// scrypt of passphrases, once per process and passphrase.
final class Stretching: Sendable {
    static let shared = Stretching()

    /// Fixed, because a key must come out the same in every replica and after every restart; it keeps tables made for other software from fitting.
    private static let salt = Array("switchboard/key-ring/v1".utf8)
    /// OWASP Password Storage Cheat Sheet: N = 2^17, r = 8, p = 1. Part of the stored data's format: never change it.
    private static let parameters = Scrypt.Parameters(logCost: 17, blockSize: 8, parallelism: 1)

    private let known = Mutex<[[UInt8]: SecretBytes]>([:])

    /// Runs under the lock, so that two rings made at once share one computation.
    func stretch(_ passphrase: String) throws -> SecretBytes {
        // RFC 8265's normalisation: the same passphrase typed on another keyboard gives the same key.
        var bytes = Array(passphrase.precomposedStringWithCanonicalMapping.utf8)
        defer { bytes.wipe() }
        let name = try SHA256.digest(bytes)
        return try self.known.withLock { known in
            if let key = known[name] { return key }
            var stretched = try Scrypt.derive(bytes, salt: Self.salt, Self.parameters, length: AESGCM.keyLength)
            let key = SecretBytes(taking: &stretched)
            known[name] = key
            return key
        }
    }
}
