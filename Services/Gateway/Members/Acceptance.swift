import Database
import Hummingbird
import Models
import ServiceKit

/// Taking an invitation up. The mailed token alone opens no account: it proves the address, and beside it comes whatever proves the person,
/// a session of the account with that address, its password (and second factor), or, where there is no such account, a new one.
struct Acceptance: Sendable {
    let database: Postgres
    let authenticator: Authenticator
    let organizations: OrganizationStore
    let members: MemberStore
    let accounts: AccountStore
    let invitations: InvitationStore
    let signIn: SignIn
    let audit: AuditStore

    func mount(on table: RouteTable) {
        table.mountOpen(.acceptInvitation, self.accept)
    }

    /// How the person was proved.
    private enum Person: Sendable {
        case signedIn(UserID)
        case checked(CheckedPassword)
        case new(NewUser)
    }

    private struct Wish: Sendable {
        var name: String?
        var password: Secret?
        var proof: FactorProof?
    }

    private func accept(_ request: Request, _ context: BaseContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let token = reader.secret("token", 1...200)
        let wish = Wish(
            name: reader.optionalLine("name", 1...200),
            password: reader.optionalSecret("password", 1...1000),
            proof: SecondFactorCheck.proof(&reader)
        )
        try reader.finish()
        guard TokenFormat.kind(of: token.reveal()) == .invitation,
            let invitation = try await self.invitations.find(try TokenDigest(token.reveal()))
        else { throw TokenPurpose.refused }
        let visitor = Visitor(request, context)
        let person = try await self.person(request, wish, invitation, visitor)
        let tokens = try SessionTokens()
        let signedIn: SignedIn = try await self.database.transaction { transaction in
            try self.organizations.lockMembers(of: invitation.organization, transaction)
            guard try self.invitations.use(invitation, transaction) else { throw TokenPurpose.refused }
            let user = try self.user(person, transaction)
            try self.signIn.passwords.remember(ClientNetwork(visitor.address), of: user, transaction)
            try self.join(user, invitation, visitor, transaction)
            return try self.signIn.open(tokens, for: user, in: invitation.organization, visitor, transaction)
        }
        return try .json(signedIn, status: .created)
    }

    private func person(_ request: Request, _ wish: Wish, _ invitation: OpenInvitation, _ visitor: Visitor) async throws -> Person {
        if let known = try await self.authenticator.identify(request.headers) {
            guard case .user(let user) = known.principal.subject,
                let account = try await self.accounts.find(user, in: known.principal.organizationID),
                account.user.email.lowercased() == invitation.email.lowercased()
            else { throw Problem(.forbidden, "This invitation is for another email address.") }
            return .signedIn(user)
        }
        guard try await self.accounts.exists(invitation.email) else { return .new(try await self.newUser(wish, invitation, visitor)) }
        guard let password = wish.password else {
            throw Problem(.conflict, "There is an account with this email address: sign in to it, or send its password.")
        }
        return .checked(try await self.signIn.check(password, of: invitation.email, wish.proof, visitor))
    }

    private func newUser(_ wish: Wish, _ invitation: OpenInvitation, _ visitor: Visitor) async throws -> NewUser {
        var faults: [Problem.Fault] = []
        if wish.name == nil {
            faults.append(.init(pointer: "/name", detail: "is missing: there is no account with this email address yet"))
        }
        let length = AccountRoutes.passwordLength
        let isLong = wish.password.map { length.contains($0.reveal().unicodeScalars.count) } ?? false
        if !isLong {
            faults.append(.init(pointer: "/password", detail: "must have \(length.lowerBound) to \(length.upperBound) characters"))
        }
        guard let name = wish.name, let password = wish.password, faults.isEmpty else { throw Problem.validation(faults) }
        let hash = try await self.signIn.newHash(of: password, visitor)
        return NewUser(email: invitation.email, name: name, passwordHash: hash, isEmailVerified: true)
    }

    private func user(_ person: Person, _ transaction: Transaction) throws -> UserID {
        switch person {
        case .signedIn(let user): return user
        case .checked(let checked):
            try self.signIn.settle(checked, transaction)
            return checked.record.userID
        case .new(let new):
            guard let user = try self.accounts.create(new, transaction) else {
                throw Problem(.conflict, "There is an account with this email address: sign in to it, or send its password.")
            }
            return user
        }
    }

    private func join(_ user: UserID, _ invitation: OpenInvitation, _ visitor: Visitor, _ transaction: Transaction) throws {
        // A key of an earlier membership that was made while that one ended must not come to life again.
        _ = try self.members.revokeKeys(of: user, in: invitation.organization, transaction)
        guard try self.members.add(user, as: invitation.role, to: invitation.organization, transaction) else {
            throw Problem(.conflict, "You are a member of this organization already.")
        }
        _ = try self.accounts.verify(invitation.email, of: user, transaction)
        try Revocation.announce(.member(invitation.organization, user), in: transaction)
        let details: JSONValue = [
            "invitation": .integer(invitation.id.rawValue), "invited_by": .string("user:\(invitation.invitedBy)"),
            "role": .string(invitation.role.rawValue),
        ]
        let change = AuditChange(action: "member.joined", target: "user:\(user)", details: details)
        try self.audit.record(change, by: visitor.origin(user), in: invitation.organization, transaction)
    }
}
