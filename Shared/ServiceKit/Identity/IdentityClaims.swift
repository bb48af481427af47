import Models

/// The JSON inside the identity header, written by hand: it is made and read once per internal request.
struct IdentityClaims {
    var identity: InternalIdentity
    var bodyDigest: String?

    init(identity: InternalIdentity, bodyDigest: String?) {
        self.identity = identity
        self.bodyDigest = bodyDigest
    }

    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512)
        bytes += "{\"iss\":\"".utf8
        bytes += self.identity.caller.rawValue.utf8
        bytes += "\",\"aud\":\"".utf8
        bytes += self.identity.callee.rawValue.utf8
        bytes += "\",\"exp\":".utf8
        bytes.append(decimal: self.identity.expires)
        Self.write("rid", self.identity.requestID, into: &bytes)
        if let publicURL = self.identity.publicURL { Self.write("url", publicURL, into: &bytes) }
        if let address = self.identity.clientAddress { Self.write("ip", address, into: &bytes) }
        if let digest = self.bodyDigest { Self.write("body", digest, into: &bytes) }
        if let principal = self.identity.principal { Self.write(principal, into: &bytes) }
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    private static func write(_ name: StaticString, _ text: String, into bytes: inout [UInt8]) {
        bytes += ",\"".utf8
        bytes += UnsafeBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        bytes += "\":".utf8
        JSONText.writeString(text, into: &bytes)
    }

    /// nil where a member is missing or of the wrong kind.
    init?(_ bytes: [UInt8]) {
        guard let value = try? JSONValue(parsing: bytes),
            let caller = value["iss"]?.stringValue.flatMap({ ServiceName(rawValue: $0) }),
            let callee = value["aud"]?.stringValue.flatMap({ ServiceName(rawValue: $0) }),
            let requestID = value["rid"]?.stringValue, let expires = value["exp"]?.integerValue
        else { return nil }
        var principal: Principal?
        if let subject = value["sub"] {
            guard let read = Self.principal(subject) else { return nil }
            principal = read
        }
        self.identity = InternalIdentity(
            caller: caller,
            callee: callee,
            principal: principal,
            requestID: requestID,
            publicURL: value["url"]?.stringValue,
            clientAddress: value["ip"]?.stringValue,
            expires: expires
        )
        self.bodyDigest = value["body"]?.stringValue
    }

    /// Roles and scopes are words of the code: nothing in them needs to be escaped.
    private static func write(_ principal: Principal, into bytes: inout [UInt8]) {
        bytes += ",\"sub\":{\"org\":".utf8
        bytes.append(decimal: principal.organizationID.rawValue)
        bytes += ",\"usr\":".utf8
        bytes.append(decimal: principal.userID.rawValue)
        bytes += ",\"rol\":\"".utf8
        bytes += principal.role.rawValue.utf8
        bytes.append(UInt8(ascii: "\""))
        if case .key(let key, _) = principal.subject {
            bytes += ",\"key\":".utf8
            bytes.append(decimal: key.rawValue)
        }
        if let scopes = principal.scopes {
            bytes += ",\"scp\":[".utf8
            for (index, scope) in scopes.enumerated() {
                if index > 0 { bytes.append(UInt8(ascii: ",")) }
                bytes.append(UInt8(ascii: "\""))
                bytes += scope.rawValue.utf8
                bytes.append(UInt8(ascii: "\""))
            }
            bytes.append(UInt8(ascii: "]"))
        }
        bytes.append(UInt8(ascii: "}"))
    }

    private static func principal(_ value: JSONValue) -> Principal? {
        guard let organization = value["org"]?.integerValue, let user = value["usr"]?.integerValue,
            let role = value["rol"]?.stringValue.flatMap({ Role(rawValue: $0) })
        else { return nil }
        var scopes: Set<Scope>?
        if let listed = value["scp"] {
            // A scope that this build does not know is one that none of its routes asks for.
            guard let names = listed.arrayValue else { return nil }
            scopes = Set(names.compactMap { $0.stringValue.flatMap { Scope(rawValue: $0) } })
        }
        let subject: Principal.Subject =
            value["key"]?.integerValue.map { .key(APIKeyID($0), maker: UserID(user)) } ?? .user(UserID(user))
        return Principal(organizationID: OrganizationID(organization), subject: subject, role: role, scopes: scopes)
    }
}
