import Encryption
import Models

/// One row of the log as it is bound into its organization's chain: every field, with the texts that Postgres keeps.
struct AuditRow: Sendable, Equatable {
    var organization: OrganizationID
    var position: Int64
    var id: String
    var service: String
    var actor: String
    var action: String
    var target: String
    /// As Postgres writes the jsonb.
    var details: String
    var address: String?
    var requestID: String?
    /// Microseconds since 1970.
    var timestamp: Int64
    var recordedAt: Int64

    /// The bytes under the MAC: integers in 8 bytes, big-endian; texts behind their length in 8; an absent text as length -1. No two rows share
    /// an encoding.
    func encoded(after previous: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(256 + self.details.utf8.count)
        bytes.append(text: "switchboard.audit.v1")
        bytes.append(number: Int64(previous.count))
        bytes += previous
        bytes.append(number: self.organization.rawValue)
        bytes.append(number: self.position)
        for text in [self.id, self.service, self.actor, self.action, self.target, self.details, self.address, self.requestID] {
            bytes.append(text: text)
        }
        bytes.append(number: self.timestamp)
        bytes.append(number: self.recordedAt)
        return bytes
    }
}

/// Where an organization's chain ends.
struct AuditHead: Sendable, Equatable {
    var organization: OrganizationID
    var position: Int64
    /// The MAC of the last entry; empty before the first.
    var mac: [UInt8]

    static func empty(_ organization: OrganizationID) -> AuditHead { AuditHead(organization: organization, position: 0, mac: []) }
}

/// Links rows: HMAC-SHA256 over the row and the MAC before it, under a subkey of the process's `ENCRYPTION_KEY`. Which key made a MAC is kept
/// beside it, so that rows from before a change of keys can be checked as long as `ENCRYPTION_KEYS_PREVIOUS` names theirs.
struct AuditChain: Sendable {
    private let tags: KeyedTags

    init(_ ring: KeyRing) throws { self.tags = try KeyedTags(ring, purpose: "audit-chain") }

    func link(_ row: AuditRow, after head: AuditHead) throws -> KeyedTags.Tag { try self.tags.tag(row.encoded(after: head.mac)) }

    /// - Throws: `EncryptionError` of kind `unknownKey`.
    func isIntact(_ row: AuditRow, _ tag: KeyedTags.Tag, after head: AuditHead) throws -> Bool {
        try self.tags.isValid(tag, for: row.encoded(after: head.mac))
    }
}

extension [UInt8] {
    fileprivate mutating func append(number: Int64) {
        Swift.withUnsafeBytes(of: number.bigEndian) { self.append(contentsOf: $0) }
    }

    fileprivate mutating func append(text: String?) {
        self.append(number: text.map { Int64($0.utf8.count) } ?? -1)
        if let text { self.append(contentsOf: text.utf8) }
    }
}
