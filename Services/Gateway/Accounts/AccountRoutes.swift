import Database
import Encryption
import HTTPTypes
import Hummingbird
import Logging
import Models
import ServiceKit

struct AccountRoutes: Sendable {
    /// Characters of a password: long enough to stand guessing, short enough to be hashed at once.
    static let passwordLength = 10...256

    let database: Postgres
    let accounts: AccountStore
    let sessions: SessionStore
    let audit: AuditStore
    let security: SecurityHeaders
    let logger: Logger

    func mount(on table: RouteTable) {
        table.mountOpen(.register, self.security.added(to: self.register))
        table.mountOpen(.login, self.security.added(to: self.login))
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

        let hash = try await PasswordHash.make(password)
        let new = NewAccount(email: email, name: name, organizationName: organizationName, passwordHash: hash)
        let visitor = Visitor(request, context)
        let tokens = try SessionTokens()
        let signedIn: SignedIn = try await self.database.transaction { transaction in
            guard let account = try self.accounts.create(new, transaction) else {
                throw Problem(.conflict, "There is an account with this email address.")
            }
            let organization = account.organization.id
            let created = AuditChange(action: "organization.created", target: "organization:\(organization)")
            try self.audit.record(created, by: visitor.origin(account.user.id), in: organization, transaction)
            return try self.sessions.open(tokens, for: account, visitor, transaction)
        }
        return try .json(signedIn, status: .created)
    }

    private func login(_ request: Request, _ context: BaseContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let email = reader.email("email")
        // Any length is checked: what a password may look like is told at registration, not to those who guess.
        let password = reader.secret("password", 1...1000)
        try reader.finish()

        let record = try await self.accounts.password(of: email)
        let check = try await Self.check(password, against: record?.hash)
        guard let record, check != .wrong else {
            // Not the address: a log of mistyped addresses is a log of passwords typed into the wrong field.
            self.logger.notice("a sign-in failed", metadata: ["request_id": "\(context.requestID)"])
            throw Problem(.unauthenticated, "The email address or the password is wrong.")
        }
        if check == .rightButOutdated {
            let hash = try await PasswordHash.make(password)
            try await self.accounts.replacePasswordHash(of: record.userID, record.hash, by: hash)
        }
        return try .json(try await self.signIn(record.userID, Visitor(request, context)))
    }

    /// Takes equally long whether there is a hash to compare with or not.
    private static func check(_ password: Secret, against hash: String?) async throws -> PasswordHash.Check {
        guard let hash else {
            try await PasswordHash.checkNothing(password)
            return .wrong
        }
        return try await PasswordHash.check(password, against: hash)
    }

    private func signIn(_ user: UserID, _ visitor: Visitor) async throws -> SignedIn {
        let tokens = try SessionTokens()
        return try await self.database.transaction { transaction in
            guard let account = try self.accounts.first(of: user, transaction) else {
                throw Problem(.forbidden, "This account belongs to no organization.")
            }
            return try self.sessions.open(tokens, for: account, visitor, transaction)
        }
    }

    private func me(_ request: Request, _ context: CallerContext) async throws -> Response {
        let principal = context.principal
        guard let account = try await self.accounts.find(principal.userID, in: principal.organizationID) else { throw Credential.refused }
        return try .json(AccountResponse(account, for: principal))
    }
}
