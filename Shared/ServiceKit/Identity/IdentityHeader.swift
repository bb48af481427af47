import Encryption
package import Foundation
package import HTTPTypes
package import Models

extension HTTPField.Name {
    /// `Switchboard-Identity`; removed at the door from what strangers send.
    package static let switchboardIdentity = Self(known: "Switchboard-Identity")
    package static let requestID = Self(known: "X-Request-Id")
    package static let traceParent = Self(known: "traceparent")
    package static let forwardedFor = Self(known: "X-Forwarded-For")
    package static let idempotencyKey = Self(known: "Idempotency-Key")
    package static let idempotencyReplayed = Self(known: "Idempotency-Replayed")

    /// A name written in the source; it is a token (RFC 9110 section 5.1), so that it can always be made.
    private init(known name: StaticString) {
        guard let made = Self(name.description) else { preconditionFailure("\(name) is not a header name") }
        self = made
    }
}

/// What the signature covers besides the identity itself.
package struct SignedRequest: Sendable {
    package enum Body: Sendable {
        /// Bound by its SHA-256.
        case bytes([UInt8])
        /// Streamed: not bound, the header says so.
        case streamed
    }

    package var method: String
    /// Path with query, as it stands in the request line.
    package var path: String
    package var body: Body

    package init(method: String, path: String, body: Body) {
        self.method = method
        self.path = path
        self.body = body
    }
}

/// Why an identity header was refused. The client learns only that it was.
package enum IdentityError: Error, Sendable, Equatable {
    case missing, malformed, unknownCaller, wrongCallee, badSignature, expired, bodyChanged
}

/// Signs and checks `Switchboard-Identity`: `v1.<base64url JSON>.<base64url HMAC-SHA256>`. Each direction of a pair has its own subkey
/// (HKDF, info `caller>callee`), so that an answer can never be played back as a request of the other side.
package struct IdentityKeys: Sendable {
    /// Longest time between signing and checking, in seconds.
    static let lifetime: Int64 = 60
    /// Seconds by which two clocks may differ.
    static let skew: Int64 = 5
    /// base64url SHA-256 of no bytes (FIPS 180-4): most requests have no body.
    static let emptyDigest = "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"

    private let service: ServiceName
    private let outgoing: [ServiceName: [HMACKey]]
    private let incoming: [ServiceName: [HMACKey]]

    /// - keys: per peer, the first signs and all verify.
    package init(service: ServiceName, keys: [ServiceName: [Secret]]) throws {
        func derive(_ secrets: [Secret], _ caller: ServiceName, _ callee: ServiceName) throws -> [HMACKey] {
            try secrets.map { secret in
                let info = Array("switchboard identity \(caller.rawValue)>\(callee.rawValue)".utf8)
                return try HMACKey(
                    .sha256,
                    key: try HKDF.derive(key: Array(secret.reveal().utf8), salt: [], info: info, length: 32)
                )
            }
        }
        self.service = service
        var outgoing: [ServiceName: [HMACKey]] = [:]
        var incoming: [ServiceName: [HMACKey]] = [:]
        for (peer, secrets) in keys {
            outgoing[peer] = try derive(secrets, service, peer)
            incoming[peer] = try derive(secrets, peer, service)
        }
        self.outgoing = outgoing
        self.incoming = incoming
    }

    /// The header for one request to ``InternalIdentity/callee``.
    package func sign(_ identity: InternalIdentity, for request: SignedRequest) throws -> String {
        guard identity.caller == self.service, let key = self.outgoing[identity.callee]?.first else { throw IdentityError.unknownCaller }
        let digest: String? =
            switch request.body {
            case .bytes(let bytes): bytes.isEmpty ? Self.emptyDigest : Base64URL.encode(try SHA256.digest(bytes))
            case .streamed: nil
            }
        var header: [UInt8] = Array("v1.".utf8)
        header.reserveCapacity(1024)
        Base64URL.append(IdentityClaims(identity: identity, bodyDigest: digest).bytes, to: &header)
        let mac = try key.authenticate(Self.message(header, request.method, request.path))
        header.append(UInt8(ascii: "."))
        Base64URL.append(mac, to: &header)
        return String(decoding: header, as: UTF8.self)
    }

    /// An identity whose signature, callee and time are right. The body is checked by ``VerifiedIdentity/check(body:)`` once it is read.
    /// - Throws: ``IdentityError``.
    package func verify(_ header: String?, method: String, path: String, now: Date = Date()) throws -> VerifiedIdentity {
        guard let header else { throw IdentityError.missing }
        let parts = header.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "v1", header.utf8.count < 16_384,
            let bytes = Base64URL.decode(parts[1]), let mac = Base64URL.decode(parts[2]), let claims = IdentityClaims(bytes)
        else { throw IdentityError.malformed }
        let identity = claims.identity
        guard let keys = self.incoming[identity.caller] else { throw IdentityError.unknownCaller }
        let message = Self.message(Array("v1.\(parts[1])".utf8), method, path)
        var isSigned = false
        // All keys are tried whatever the first says: the time must not tell which one signed.
        for key in keys where try key.isValid(mac, for: message) { isSigned = true }
        guard isSigned else { throw IdentityError.badSignature }
        guard identity.callee == self.service else { throw IdentityError.wrongCallee }
        let seconds = Int64(now.timeIntervalSince1970.rounded(.down))
        guard identity.expires + Self.skew >= seconds, identity.expires <= seconds + Self.lifetime + Self.skew else {
            throw IdentityError.expired
        }
        return VerifiedIdentity(identity: identity, bodyDigest: claims.bodyDigest)
    }

    private static func message(_ start: [UInt8], _ method: String, _ path: String) -> [UInt8] {
        var message = start
        message.append(UInt8(ascii: "\n"))
        message += method.utf8
        message.append(UInt8(ascii: "\n"))
        message += path.utf8
        return message
    }
}

package struct VerifiedIdentity: Sendable {
    package let identity: InternalIdentity
    /// base64url SHA-256 of the body; nil where it is streamed.
    let bodyDigest: String?

    package var isBodyBound: Bool { self.bodyDigest != nil }

    /// - Throws: ``IdentityError/bodyChanged``.
    package func check(body: [UInt8]) throws {
        guard let bodyDigest else { return }
        guard ConstantTime.equal(Array(bodyDigest.utf8), Array(Base64URL.encode(try SHA256.digest(body)).utf8)) else {
            throw IdentityError.bodyChanged
        }
    }
}
