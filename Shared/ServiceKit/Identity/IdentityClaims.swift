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
        var members: [String: JSONValue] = [
            "iss": .string(self.identity.caller.rawValue),
            "aud": .string(self.identity.callee.rawValue),
            "rid": .string(self.identity.requestID),
            "exp": .integer(self.identity.expires),
        ]
        if let principal = self.identity.principal { members["sub"] = Self.write(principal) }
        if let publicURL = self.identity.publicURL { members["url"] = .string(publicURL) }
        if let address = self.identity.clientAddress { members["ip"] = .string(address) }
        if let digest = self.bodyDigest { members["body"] = .string(digest) }
        return JSONValue.object(members).serialized()
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

    private static func write(_ principal: Principal) -> JSONValue {
        var members: [String: JSONValue] = [
            "org": .integer(principal.organizationID.rawValue),
            "usr": .integer(principal.userID.rawValue),
            "rol": .string(principal.role.rawValue),
        ]
        if case .key(let key, _) = principal.subject { members["key"] = .integer(key.rawValue) }
        if let scopes = principal.scopes {
            members["scp"] = .array(scopes.map(\.rawValue).sorted().map { .string($0) })
        }
        return .object(members)
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
