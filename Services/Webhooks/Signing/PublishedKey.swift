import Database
import Encryption
import Foundation
import Models

/// The public half of an organization's key, as receivers find it.
struct PublishedKey: Sendable, Equatable {
    enum State: String, Sendable, SQLDecodable {
        /// Signs.
        case current
        /// Replaced; signs beside the current one until its grace has ended.
        case previous
        /// Signs no more; what it signed before may still be on its way.
        case retired
    }

    static let columns: StaticString = """
        id, public_key, created_at, retired_at,
        CASE WHEN retired_at IS NULL THEN 'current' WHEN signs_until > now() THEN 'previous' ELSE 'retired' END AS state
        """

    var id: SigningKeyID
    var publicKey: [UInt8]
    var state: State
    var createdAt: Date
    var retiredAt: Date?

    /// Standard Webhooks 1.0.0, "Signature scheme": `whpk_` and base64.
    var text: String { "whpk_\(Data(self.publicKey).base64EncodedString())" }
    var pem: String { get throws { try Ed25519.pem(ofPublicKey: self.publicKey) } }
}

extension PublishedKey: RowDecodable {
    init(row: Row) throws {
        self.id = try row.get("id")
        self.publicKey = try row.get("public_key")
        self.state = try row.get("state")
        self.createdAt = try row.get("created_at")
        self.retiredAt = try row.get("retired_at")
    }
}
