/// What one process tells another about the request that it makes, signed in the `Switchboard-Identity` header
/// (ServiceKit signs and checks). Only the gateway may assert ``principal``.
package struct InternalIdentity: Codable, Sendable, Equatable {
    package var caller: ServiceName
    package var callee: ServiceName
    /// Who stands behind the request; nil where a process acts for itself.
    package var principal: Principal?
    package var requestID: String
    /// The URL that the client used at the public door; some providers sign it.
    package var publicURL: String?
    /// The client's address as the gateway saw it.
    package var clientAddress: String?
    /// Unix seconds after which the header is refused.
    package var expires: Int64

    package init(
        caller: ServiceName,
        callee: ServiceName,
        principal: Principal? = nil,
        requestID: String,
        publicURL: String? = nil,
        clientAddress: String? = nil,
        expires: Int64
    ) {
        self.caller = caller
        self.callee = callee
        self.principal = principal
        self.requestID = requestID
        self.publicURL = publicURL
        self.clientAddress = clientAddress
        self.expires = expires
    }
}

/// An authenticated member or API key inside one organization.
package struct Principal: Codable, Sendable, Equatable {
    package enum Subject: Codable, Sendable, Equatable, Hashable {
        case user(UserID)
        /// An API key and the member who made it.
        case key(APIKeyID, maker: UserID)
    }

    package var organizationID: OrganizationID
    package var subject: Subject
    package var role: Role
    /// nil for a member, who holds all scopes of the role.
    package var scopes: Set<Scope>?

    package init(organizationID: OrganizationID, subject: Subject, role: Role, scopes: Set<Scope>?) {
        self.organizationID = organizationID
        self.subject = subject
        self.role = role
        self.scopes = scopes
    }

    /// The member who acts, or on whose behalf the key does.
    package var userID: UserID {
        switch self.subject {
        case .user(let id): id
        case .key(_, let maker): maker
        }
    }

    package func satisfies(role: Role, scope: Scope) -> Bool {
        self.role >= role && (self.scopes?.contains(scope) ?? true)
    }
}
