import Encryption
import Models

/// AES-256-GCM and HMAC-SHA256 on one thread.
enum EncryptionBench {
    static func contests() throws -> [Contest] {
        let secret = Secret("t3st-bench-only-7Jq2xV9mKc4RzW8nLp1d")
        let cipher = try Cipher(KeyRing(current: secret, previous: [], development: true), purpose: "bench")
        let hmac = try HMACKey(.sha256, key: [UInt8](1...32))
        return [Self.seal(cipher), Self.open(cipher), Self.authenticate(hmac, length: 300), Self.authenticate(hmac, length: 1024)]
    }

    private static let message = [UInt8](repeating: 0x5A, count: 1024)

    /// A credential of 1 KiB with its context, which is made anew each time as a store does.
    private static func seal(_ cipher: Cipher) -> Contest {
        Contest(
            title: "AES-256-GCM seal, 1 KiB",
            aim: 1.2,
            contestants: [
                .init("Cipher.seal", .ours) {
                    try Throughput.loop { _ = try cipher.seal(Self.message, for: Self.context) }
                },
                .init("swift-crypto AES.GCM.seal", .rival) { try CryptoPeer.seal(Self.message) },
                .init("openssl speed -evp aes-256-gcm", .reference) { try Self.speed(["-evp", "aes-256-gcm"], length: 1024) },
            ]
        )
    }

    private static func open(_ cipher: Cipher) -> Contest {
        Contest(
            title: "AES-256-GCM open, 1 KiB",
            aim: nil,
            contestants: [
                .init("Cipher.open", .ours) {
                    let envelope = try cipher.seal(Self.message, for: Self.context)
                    return try Throughput.loop { _ = try cipher.open(envelope, for: Self.context) }
                },
                .init("swift-crypto AES.GCM.open", .rival) { try CryptoPeer.open(Self.message) },
            ]
        )
    }

    private static func authenticate(_ key: HMACKey, length: Int) -> Contest {
        let message = [UInt8](repeating: 0x5A, count: length)
        return Contest(
            title: "HMAC-SHA256, \(length) bytes",
            aim: 1.2,
            contestants: [
                .init("HMACKey.authenticate", .ours) { try Throughput.loop { _ = try key.authenticate(message) } },
                .init("swift-crypto HMAC<SHA256>", .rival) { CryptoPeer.authenticate(message) },
                .init("openssl speed -hmac sha256", .reference) { try Self.speed(["-hmac", "sha256"], length: length) },
            ]
        )
    }

    private static var context: CipherContext {
        CipherContext(organization: OrganizationID(7), row: "integrations:12", field: "credential")
    }

    /// The last line's last column is in thousands of bytes a second.
    private static func speed(_ arguments: [String], length: Int) throws -> Double {
        let text = try Tool.run("openssl", ["speed", "-elapsed", "-seconds", "1", "-bytes", "\(length)"] + arguments)
        guard let last = text.split(whereSeparator: \.isWhitespace).last, last.hasSuffix("k"), let thousands = Double(last.dropLast())
        else {
            throw Tool.Failure(description: "openssl speed: \(text.suffix(300))")
        }
        return thousands * 1000 / Double(length)
    }
}
