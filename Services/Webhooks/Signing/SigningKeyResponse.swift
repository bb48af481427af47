import Foundation
import Models
import ServiceKit

struct SigningKeyResponse: Encodable, Sendable {
    var id: SigningKeyID
    var algorithm = "ed25519"
    var publicKey: String
    var pem: String
    var state: PublishedKey.State
    var createdAt: Date
    var retiredAt: Date?

    init(_ key: PublishedKey) throws {
        self.id = key.id
        self.publicKey = key.text
        self.pem = try key.pem
        self.state = key.state
        self.createdAt = key.createdAt
        self.retiredAt = key.retiredAt
    }

    enum CodingKeys: String, CodingKey {
        case id, algorithm, pem, state
        case publicKey = "public_key"
        case createdAt = "created_at"
        case retiredAt = "retired_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.id, forKey: .id)
        try container.encode(self.algorithm, forKey: .algorithm)
        try container.encode(self.publicKey, forKey: .publicKey)
        try container.encode(self.pem, forKey: .pem)
        try container.encode(self.state.rawValue, forKey: .state)
        try container.encode(self.createdAt, forKey: .createdAt)
        try container.encode(self.retiredAt, forKey: .retiredAt)
    }
}

/// A JSON Web Key Set (RFC 7517 section 5).
struct KeySetResponse: Encodable, Sendable {
    /// RFC 7517 section 8.5.2.
    static let mediaType = "application/jwk-set+json"
    /// Far shorter than any grace but 0.
    static let caching = "public, max-age=300"

    /// An Ed25519 key (RFC 8037 section 2).
    struct Key: Encodable, Sendable {
        var kty = "OKP"
        var crv = "Ed25519"
        var x: String
        var kid: String
        var use = "sig"
        var alg = "EdDSA"
    }

    var keys: [Key]

    init(_ keys: [PublishedKey]) {
        self.keys = keys.map { Key(x: Base64URL.encode($0.publicKey), kid: String($0.id.rawValue)) }
    }
}
