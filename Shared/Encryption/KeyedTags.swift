/// HMAC-SHA256 under a key ring, for one purpose: made with the current key, checked with whichever key of the ring made it. The key's id is
/// kept beside the tag, so that tags outlive a change of keys.
package struct KeyedTags: Sendable {
    /// A tag and the id of the key that made it (16 hexadecimal digits, which tell nothing of the key).
    package struct Tag: Sendable, Equatable {
        package var keyID: String
        package var bytes: [UInt8]

        package init(keyID: String, bytes: [UInt8]) {
            self.keyID = keyID
            self.bytes = bytes
        }
    }

    private let currentID: String
    private let keys: [String: HMACKey]

    package init(_ ring: KeyRing, purpose: String) throws {
        var keys: [String: HMACKey] = [:]
        for master in ring.masters {
            keys[Hex.encode(master.id)] = try master.subkey("tags", purpose).withBytes { try HMACKey(.sha256, key: [UInt8]($0)) }
        }
        self.currentID = Hex.encode(ring.current.id)
        self.keys = keys
    }

    package func tag(_ message: [UInt8]) throws -> Tag {
        guard let key = self.keys[self.currentID] else { throw EncryptionError(kind: .unknownKey, detail: "the ring has no current key") }
        return Tag(keyID: self.currentID, bytes: try key.authenticate(message))
    }

    /// - Throws: ``EncryptionError`` of kind `unknownKey` where the ring lacks the key: whether the tag is right cannot be told then.
    package func isValid(_ tag: Tag, for message: [UInt8]) throws -> Bool {
        guard let key = self.keys[tag.keyID] else {
            throw EncryptionError(kind: .unknownKey, detail: "tagged under key \(tag.keyID), which is not in the ring")
        }
        return try key.isValid(tag.bytes, for: message)
    }
}
