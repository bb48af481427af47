import Database
import Hummingbird
import Models
import ServiceKit

/// Proves that a user reads the mail of their address.
struct EmailVerification: Sendable {
    let database: Postgres
    let accounts: AccountStore
    let tokens: UserTokenStore
    let mails: MailQueue
    let texts: MailTexts
    let attempts: AttemptStore
    let budgets: AttemptBudgets
    let trail: UserTrail

    func mount(on table: RouteTable) {
        table.mount(.sendVerification, self.sendAgain)
        table.mountOpen(.verifyEmail, self.verify)
    }

    @discardableResult
    func send(to user: UserID, at email: String, _ transaction: Transaction) throws -> MailFate {
        let token = try self.tokens.issue(.verifyEmail, for: user, at: email, transaction)
        return try self.mails.add(self.texts.verification(of: email, token), transaction)
    }

    private func sendAgain(_ request: Request, _ context: CallerContext) async throws -> Response {
        let user = context.principal.userID
        guard let account = try await self.accounts.find(user, in: context.organizationID) else { throw Credential.refused }
        guard !account.user.isEmailVerified else { throw Problem(.conflict, "The address is verified already.") }
        let fate = try await self.database.transaction { transaction in
            try self.attempts.charge([try self.budgets.of(.mail, "verification|\(user)")], transaction)
            return try self.send(to: user, at: account.user.email, transaction)
        }
        return try .json(MailAnswer(mail: fate), status: .accepted)
    }

    private func verify(_ request: Request, _ context: BaseContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let token = reader.secret("token", 1...200)
        try reader.finish()
        guard TokenFormat.kind(of: token.reveal()) == .verification else { throw TokenPurpose.refused }
        let digest = try TokenDigest(token.reveal())
        let visitor = Visitor(request, context)
        try await self.database.transaction { transaction in
            guard let used = try self.tokens.use(digest, for: .verifyEmail, transaction),
                try self.accounts.verify(used.email, of: used.user, transaction)
            else { throw TokenPurpose.refused }
            try self.tokens.discardAll(.verifyEmail, of: used.user, transaction)
            try self.trail.record("user.email_verified", of: used.user, by: visitor.origin(used.user), transaction)
        }
        return .noContent
    }
}

/// What becomes of the mail that was asked for.
struct MailAnswer: Encodable, Sendable {
    var mail: MailFate
}
