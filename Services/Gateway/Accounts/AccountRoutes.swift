import Database
import HTTPTypes
import Hummingbird
import Models
import ServiceKit

struct AccountRoutes: Sendable {
    /// Characters of a password: long enough to stand guessing, short enough to be hashed at once.
    static let passwordLength = 10...256

    let database: Postgres
    let accounts: AccountStore
    let organizations: OrganizationStore
    let emails: EmailVerification
    let signIn: SignIn

    func mount(on table: RouteTable) {
        table.mountOpen(.register, self.register)
        table.mountOpen(.login, self.login)
        table.mount(.me, self.me)
        table.mount(.publicUser, self.me)
    }

    /// An address that is taken answers 409. That tells a stranger that it has an account; hiding it takes a mailed confirmation.
    private func register(_ request: Request, _ context: BaseContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let email = reader.email("email")
        let password = reader.secret("password", Self.passwordLength)
        let name = reader.line("name", 1...200)
        let organizationName = reader.line("organization_name", 1...200)
        try reader.finish()

        let visitor = Visitor(request, context)
        let hash = try await self.signIn.newHash(of: password, visitor)
        let new = NewUser(email: email, name: name, passwordHash: hash, isEmailVerified: false)
        return try .json(try await self.open(new, organizationName, visitor), status: .created)
    }

    /// A user who owns a new organization, signed in.
    /// - Throws: ``Problem`` of kind `conflict` where the address is taken.
    func open(_ new: NewUser, _ organizationName: String, _ visitor: Visitor) async throws -> SignedIn {
        let tokens = try SessionTokens()
        return try await self.database.transaction { transaction in
            guard let user = try self.accounts.create(new, transaction) else {
                throw Problem(.conflict, "There is an account with this email address.")
            }
            try self.signIn.passwords.remember(ClientNetwork(visitor.address), of: user, transaction)
            let organization = try self.organizations.create(organizationName, owner: user, by: visitor.origin(user), transaction)
            try self.emails.send(to: user, at: new.email, transaction)
            return try self.signIn.open(tokens, for: user, in: organization, visitor, transaction)
        }
    }

    private func login(_ request: Request, _ context: BaseContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let email = reader.email("email")
        // Any length is checked: what a password may look like is told at registration, not to those who guess.
        let password = reader.secret("password", 1...1000)
        let proof = SecondFactorCheck.proof(&reader)
        try reader.finish()

        let visitor = Visitor(request, context)
        let checked = try await self.signIn.check(password, of: email, proof, visitor)
        let tokens = try SessionTokens()
        let signedIn: SignedIn = try await self.database.transaction { transaction in
            try self.signIn.settle(checked, transaction)
            return try self.signIn.open(tokens, for: checked.record.userID, in: nil, visitor, transaction)
        }
        return try .json(signedIn)
    }

    private func me(_ request: Request, _ context: CallerContext) async throws -> Response {
        let principal = context.principal
        guard let account = try await self.accounts.find(principal.userID, in: principal.organizationID) else { throw Credential.refused }
        return try .json(AccountResponse(account, for: principal))
    }
}
