import Database
import Encryption
import Models

/// From a password to a session: what registration, sign-in and an accepted invitation share.
struct SignIn: Sendable {
    let database: Postgres
    let accounts: AccountStore
    let sessions: SessionStore
    let attempts: AttemptStore
    let budgets: AttemptBudgets
    let passwords: PasswordCheck
    let factor: SecondFactorCheck

    /// The password and, for those who have one, the second factor.
    /// - Throws: ``PasswordCheck/wrong``, 401 of kind `secondFactorRequired` only after the password was right, 429 and 503 problems.
    func check(_ password: Secret, of email: String, _ proof: FactorProof?, _ visitor: Visitor) async throws -> CheckedPassword {
        let checked = try await self.passwords.check(password, of: email, visitor)
        do {
            try await self.factor.check(proof, of: checked.record.userID)
        } catch let problem as Problem where problem == SecondFactorCheck.needed {
            // The first half of a sign-in in two steps: no guess was wrong.
            try await self.database.transaction { try self.attempts.refund(checked.budgets, $0) }
            throw problem
        }
        return checked
    }

    func settle(_ checked: CheckedPassword, _ transaction: Transaction) throws { try self.passwords.settle(checked, transaction) }

    /// A session in that organization, or in the one that the user has belonged to for the longest.
    func open(
        _ tokens: SessionTokens,
        for user: UserID,
        in organization: OrganizationID?,
        _ visitor: Visitor,
        _ transaction: Transaction
    ) throws -> SignedIn {
        let account =
            if let organization { try self.accounts.find(user, in: organization, transaction) } else {
                try self.accounts.first(of: user, transaction)
            }
        guard let account else {
            throw Problem(.forbidden, "This account belongs to no organization: only a new invitation lets it in again.")
        }
        return try self.sessions.open(tokens, for: account, visitor, transaction)
    }

    /// The hash of a new account's password, counted against its network.
    func newHash(of password: Secret, _ visitor: Visitor) async throws -> String {
        let network = ClientNetwork(visitor.address)
        return try await self.passwords.share.hold(network) {
            try await self.attempts.charge([try self.budgets.of(.registration, network.text)])
            return try await PasswordHash.make(password)
        }
    }
}
