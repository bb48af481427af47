package import Models

/// What a ciphertext belongs to; it opens nowhere else.
package struct CipherContext: Sendable {
    /// Organization as 8 bytes, then row and field, each after its length in 4: no two contexts share an encoding.
    let encoded: [UInt8]

    /// - row: the row's table and key, or any name that is unique within the cipher's purpose.
    package init(organization: OrganizationID, row: String, field: String) {
        var encoded: [UInt8] = []
        encoded.reserveCapacity(16 + row.utf8.count + field.utf8.count)
        encoded.append(bigEndian: organization.rawValue)
        encoded.append(lengthPrefixed: row)
        encoded.append(lengthPrefixed: field)
        self.encoded = encoded
    }
}

/// Authenticated encryption under a key ring, for one purpose: AES-256-GCM with 192-bit random nonces (see ``ExtendedGCM`` for the bound:
/// 2^80 messages a purpose and key, against 2^32 with plain AES-GCM).
///
/// Envelope: version (1 byte, 1), key id (8), nonce (24), ciphertext (as long as the plaintext), tag (16).
/// Bound as associated data: version, key id, purpose, organization, row and field.
package struct Cipher: Sendable {
    /// Bytes that an envelope is longer than its plaintext.
    package static let overhead = Header.length + ExtendedGCM.nonceLength + ExtendedGCM.tagLength

    private let sealing: PurposeKey
    private let keys: [UInt64: PurposeKey]

    package init(_ ring: KeyRing, purpose: String) throws {
        var keys: [UInt64: PurposeKey] = [:]
        for master in ring.masters { keys[master.id] = try PurposeKey(master, purpose: purpose) }
        guard let sealing = keys[ring.current.id] else { throw EncryptionError(kind: .unknownKey, detail: "the ring has no current key") }
        self.sealing = sealing
        self.keys = keys
    }

    package func seal(_ plaintext: [UInt8], for context: CipherContext) throws -> [UInt8] {
        let key = self.sealing
        return try [UInt8](unsafeUninitializedCapacity: plaintext.count + Self.overhead) { envelope, count in
            guard let start = envelope.baseAddress else { return }
            Header(keyID: key.id).write(to: start)
            let nonce = start + Header.length
            try key.contexts.use { gcm in
                try gcm.writeNonce(to: nonce)
                try plaintext.withUnsafeBufferPointer {
                    try gcm.seal(
                        $0,
                        nonce: nonce,
                        associated: (key.associated, context.encoded),
                        into: nonce + ExtendedGCM.nonceLength
                    )
                }
            }
            count = plaintext.count + Self.overhead
        }
    }

    /// - Throws: ``EncryptionError``: `malformed` for what is no envelope, `unknownKey` for a key that the ring lacks, `authentication` where
    ///   a byte was changed or the context is not the one that it was sealed for.
    package func open(_ envelope: [UInt8], for context: CipherContext) throws -> [UInt8] {
        guard envelope.count >= Self.overhead, let header = Header(envelope) else {
            throw EncryptionError(kind: .malformed, detail: "not an envelope of this version")
        }
        guard let key = self.keys[header.keyID] else {
            throw EncryptionError(kind: .unknownKey, detail: "sealed under key \(Hex.encode(header.keyID)), which is not in the ring")
        }
        let length = envelope.count - Self.overhead
        return try envelope.withUnsafeBufferPointer { envelope in
            let body = UnsafeBufferPointer(
                rebasing: envelope[(Header.length + ExtendedGCM.nonceLength)..<(envelope.count - ExtendedGCM.tagLength)]
            )
            // One byte more than needed, so that an empty message has an address to write to.
            return try [UInt8](unsafeUninitializedCapacity: length + 1) { plaintext, count in
                guard let start = envelope.baseAddress, let output = plaintext.baseAddress else { return }
                try key.contexts.use { gcm in
                    try gcm.open(
                        body,
                        nonce: start + Header.length,
                        tag: start + envelope.count - ExtendedGCM.tagLength,
                        associated: (key.associated, context.encoded),
                        into: output
                    )
                }
                count = length
            }
        }
    }

    /// True where the envelope was sealed under a previous key: seal it anew when convenient.
    package func isStale(_ envelope: [UInt8]) -> Bool {
        guard let header = Header(envelope) else { return false }
        return header.keyID != self.sealing.id && self.keys[header.keyID] != nil
    }
}

/// The envelope's first bytes: which form, which key.
private struct Header {
    static let length = 9
    private static let version: UInt8 = 1

    var keyID: UInt64

    init(keyID: UInt64) { self.keyID = keyID }

    init?(_ envelope: [UInt8]) {
        guard envelope.count >= Self.length, envelope[0] == Self.version else { return nil }
        self.keyID = envelope[1..<Self.length].reduce(0) { $0 << 8 | UInt64($1) }
    }

    func write(to output: UnsafeMutablePointer<UInt8>) {
        output[0] = Self.version
        for index in 0..<8 { output[1 + index] = UInt8(truncatingIfNeeded: self.keyID >> UInt64(8 * (7 - index))) }
    }

    var bytes: [UInt8] {
        var bytes = [Self.version]
        bytes.append(bigEndian: self.keyID)
        return bytes
    }
}

/// A master key's subkey for one purpose, with contexts that keep it.
private final class PurposeKey: Sendable {
    let id: UInt64
    /// Version, key id and purpose: the associated data that all messages of this key share.
    let associated: [UInt8]
    let contexts: ContextPool<ExtendedGCM>

    init(_ master: MasterKey, purpose: String) throws {
        let key = try master.subkey("cipher", purpose)
        var associated = Header(keyID: master.id).bytes
        associated.append(lengthPrefixed: purpose)
        self.id = master.id
        self.associated = associated
        self.contexts = ContextPool { try ExtendedGCM(key: key) }
    }
}

extension [UInt8] {
    mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { self.append(contentsOf: $0) }
    }

    mutating func append(lengthPrefixed text: String) {
        self.append(bigEndian: UInt32(text.utf8.count))
        self.append(contentsOf: text.utf8)
    }
}
