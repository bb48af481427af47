import Database
import Encryption
import Hummingbird
import Models
import ServiceKit

/// Changing a password that is known, and replacing one that is forgotten.
struct PasswordRoutes: Sendable {
    /// The answer to "forgotten" is given no sooner, so that its time does not tell whether there is such an account.
    private static let forgottenTime = Duration.milliseconds(300)

    let database: Postgres
    let accounts: AccountStore
    let sessions: SessionStore
    let tokens: UserTokenStore
    let mails: MailQueue
    let texts: MailTexts
    let attempts: AttemptStore
    let budgets: AttemptBudgets
    let passwords: PasswordCheck
    let factors: SecondFactorStore
    let trail: UserTrail

    func mount(on table: RouteTable) {
        table.mount(.changePassword, self.change)
        table.mountOpen(.forgotPassword, self.forgot)
        table.mountOpen(.resetPassword, self.reset)
    }

    /// Ends all other sessions of the user.
    private func change(_ request: Request, _ context: CallerContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let current = reader.secret("current_password")
        let new = reader.secret("new_password", AccountRoutes.passwordLength)
        try reader.finish()
        let user = context.principal.userID
        let visitor = Visitor(request, context)
        let own = try await self.sessions.current(request, context)
        let checked = try await self.passwords.check(current, of: user, in: "current_password", visitor)
        let hash = try await self.passwords.share.hold(checked.network) { try await PasswordHash.make(new) }
        let origin = AuditOrigin(context)
        try await self.database.transaction { transaction in
            try self.passwords.settle(checked, transaction)
            guard try self.accounts.changePassword(of: user, checked.record.hash, to: hash, transaction) else {
                throw Problem(.conflict, "The password was changed by another request.")
            }
            try self.sessions.endAll(of: user, but: own, transaction)
            try self.tokens.discardAll(.resetPassword, of: user, transaction)
            try self.trail.record("user.password_changed", of: user, by: origin, transaction)
            try self.mails.add(self.texts.passwordChanged(of: checked.record.email), transaction)
        }
        return .noContent
    }

    /// 202 whoever is asked about, in the same time. Beyond the budget of an address nothing is mailed, and nothing says so.
    private func forgot(_ request: Request, _ context: BaseContext) async throws -> Response {
        let start = ContinuousClock.now
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let email = reader.email("email")
        try reader.finish()
        let visitor = Visitor(request, context)
        try await self.attempts.charge([try self.budgets.of(.resetRequest, ClientNetwork(visitor.address).text)])
        try await self.database.transaction { transaction in
            let user = try self.accounts.user(with: email, transaction)
            let budget = try self.budgets.of(.mail, "reset|\((user?.email ?? email).lowercased())")
            guard try self.attempts.take([budget], transaction), let user else { return }
            let token = try self.tokens.issue(.resetPassword, for: user.id, at: user.email, transaction)
            try self.mails.add(self.texts.reset(of: user.email, token), transaction)
        }
        try await Task.sleep(until: start + Self.forgottenTime, clock: .continuous)
        return try .json(MailAnswer(mail: self.mails.way.fate), status: .accepted)
    }

    /// The mailed token proves the address. Where it never was proved before, a second factor goes too: somebody else may have set it up.
    private func reset(_ request: Request, _ context: BaseContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let token = reader.secret("token", 1...200)
        let password = reader.secret("password", AccountRoutes.passwordLength)
        try reader.finish()
        guard TokenFormat.kind(of: token.reveal()) == .reset else { throw TokenPurpose.refused }
        let digest = try TokenDigest(token.reveal())
        guard try await self.tokens.isValid(digest, for: .resetPassword) else { throw TokenPurpose.refused }
        let visitor = Visitor(request, context)
        let network = ClientNetwork(visitor.address)
        let hash = try await self.passwords.share.hold(network) { try await PasswordHash.make(password) }
        try await self.database.transaction { transaction in
            guard let used = try self.tokens.use(digest, for: .resetPassword, transaction) else { throw TokenPurpose.refused }
            try self.attempts.clear([try self.budgets.of(.pair, "\(network.text)|\(used.email.lowercased())")], transaction)
            if try !self.accounts.resetPassword(of: used.user, to: hash, transaction) {
                try self.factors.remove(of: used.user, transaction)
            }
            try self.passwords.remember(network, of: used.user, transaction)
            try self.sessions.endAll(of: used.user, but: nil, transaction)
            try self.tokens.discardAll(.resetPassword, of: used.user, transaction)
            try self.trail.record("user.password_reset", of: used.user, by: visitor.origin(used.user), transaction)
            try self.mails.add(self.texts.passwordChanged(of: used.email), transaction)
        }
        return .noContent
    }
}
