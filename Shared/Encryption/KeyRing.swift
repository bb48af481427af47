package import Models

/// The process's master keys: one seals, all open. Master keys never encrypt; every use has a subkey (HKDF-SHA256) of its own.
package struct KeyRing: Sendable {
    let current: MasterKey
    let masters: [MasterKey]

    /// A passphrase costs a scrypt (a few tenths of a second, 128 MiB) the first time that the process sees it.
    /// - current: `ENCRYPTION_KEY` (32 bytes in base64, or a passphrase of at least 32 characters, stretched by scrypt).
    /// - previous: `ENCRYPTION_KEYS_PREVIOUS`, comma-separated by the caller.
    /// - development: allows short and well-known placeholder keys; a missing one is refused in any case.
    /// - Throws: ``EncryptionError`` of kind `weakKey` with the reason; it names the key by its place, never by its content.
    package init(current: Secret, previous: [Secret], development: Bool) throws {
        var masters: [MasterKey] = []
        for (index, secret) in ([current] + previous).enumerated() {
            let name = index == 0 ? "ENCRYPTION_KEY" : "key \(index) of ENCRYPTION_KEYS_PREVIOUS"
            var material = try KeyMaterial(secret, name: name)
            if !development { try material.refuseWeakness() }
            let master = try MasterKey(try material.takeKey())
            guard !masters.contains(where: { $0.id == master.id }) else {
                throw EncryptionError(kind: .weakKey, detail: "\(name) is given twice")
            }
            masters.append(master)
        }
        self.current = masters[0]
        self.masters = masters
    }

    /// A subkey of the current master key for one purpose (HKDF-SHA256, 32 bytes), unrelated to what ``Cipher`` uses for the same word.
    package func subkey(_ purpose: String) throws -> [UInt8] {
        try self.current.subkey("export", purpose).withBytes { [UInt8]($0) }
    }
}

/// 32 bytes that everything else is derived from.
final class MasterKey: Sendable {
    /// The first 8 bytes of a subkey that serves for nothing else: it tells keys apart and nothing about them.
    let id: UInt64
    private let bytes: SecretBytes

    init(_ bytes: SecretBytes) throws {
        self.bytes = bytes
        self.id = try Self.derive(bytes, "key-id", "").withBytes { $0.prefix(8).reduce(0) { $0 << 8 | UInt64($1) } }
    }

    func subkey(_ use: String, _ purpose: String) throws -> SecretBytes { try Self.derive(self.bytes, use, purpose) }

    private static func derive(_ key: SecretBytes, _ use: String, _ purpose: String) throws -> SecretBytes {
        var info = Array("switchboard.v1".utf8)
        info.append(lengthPrefixed: use)
        info.append(lengthPrefixed: purpose)
        var subkey = try key.withBytes { try HKDF.derive(key: $0, salt: [], info: info, length: AESGCM.keyLength) }
        return SecretBytes(taking: &subkey)
    }
}
