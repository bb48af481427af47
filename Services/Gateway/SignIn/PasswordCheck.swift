import Database
import Encryption
import Logging
import Models

/// A password that was right, and what its check had taken.
struct CheckedPassword: Sendable {
    var record: PasswordRecord
    var network: ClientNetwork
    var budgets: [AttemptBudget]
}

/// The one way to compare a password: under the limits of guessing, which count right passwords too until they are known to be right.
///
/// Order: the process's share of hashing, the budgets, the hash. Nothing in it depends on whether there is such an account.
struct PasswordCheck: Sendable {
    let database: Postgres
    let accounts: AccountStore
    let attempts: AttemptStore
    let budgets: AttemptBudgets
    let share: HashingShare
    let logger: Logger

    static let wrong = Problem(.unauthenticated, "The email address or the password is wrong.")

    /// - Throws: ``wrong``, and 429 and 503 problems.
    func check(_ password: Secret, of email: String, _ visitor: Visitor) async throws -> CheckedPassword {
        let network = ClientNetwork(visitor.address)
        return try await self.share.hold(network) {
            let record = try await self.accounts.password(of: email, near: try self.budgets.knownNetwork(network))
            // As it is stored, where it is: Postgres may fold letters that Swift keeps apart, and each spelling would have budgets of its own.
            return try await self.check(password, of: record?.email ?? email, against: record, from: network, visitor)
        }
    }

    /// For somebody who is signed in.
    /// - field: of the body, which holds the password.
    /// - Throws: a validation problem where it is wrong (401 would say that the session has ended), and 429 and 503 problems.
    func check(_ password: Secret, of user: UserID, in field: String, _ visitor: Visitor) async throws -> CheckedPassword {
        let network = ClientNetwork(visitor.address)
        return try await self.share.hold(network) {
            guard let record = try await self.accounts.password(of: user, near: try self.budgets.knownNetwork(network)) else {
                throw Credential.refused
            }
            do {
                return try await self.check(password, of: record.email, against: record, from: network, visitor)
            } catch let refused as Problem where refused == Self.wrong {
                throw Problem.validation([.init(pointer: "/\(field)", detail: "is wrong")])
            }
        }
    }

    private func check(
        _ password: Secret,
        of email: String,
        against record: PasswordRecord?,
        from network: ClientNetwork,
        _ visitor: Visitor
    ) async throws -> CheckedPassword {
        let budgets = try self.budgets.signIn(to: email, from: network, isKnown: record?.isNetworkKnown ?? false)
        try await self.attempts.charge(budgets)
        let check: PasswordHash.Check
        do {
            check = try await Self.compare(password, with: record?.hash)
        } catch {
            // Not compared: not counted.
            try await self.database.transaction { try self.attempts.refund(budgets, $0) }
            throw error
        }
        guard var record, check != .wrong else {
            // Not the address: a log of mistyped addresses is a log of passwords typed into the wrong field.
            self.logger.notice("a password was wrong", metadata: ["request_id": "\(visitor.requestID)"])
            throw Self.wrong
        }
        if check == .rightButOutdated {
            let hash = try await PasswordHash.make(password)
            try await self.accounts.replacePasswordHash(of: record.userID, record.hash, by: hash)
            record.hash = hash
        }
        return CheckedPassword(record: record, network: network, budgets: budgets)
    }

    /// Takes equally long whether there is a hash to compare with or not.
    private static func compare(_ password: Secret, with hash: String?) async throws -> PasswordHash.Check {
        guard let hash else {
            try await PasswordHash.checkNothing(password)
            return .wrong
        }
        return try await PasswordHash.check(password, against: hash)
    }

    /// Gives the attempt back and remembers the network: in the transaction of what the password was for.
    func settle(_ checked: CheckedPassword, _ transaction: Transaction) throws {
        try self.attempts.refund(checked.budgets, transaction)
        try self.remember(checked.network, of: checked.record.userID, transaction)
    }

    /// The user was here, by password or by a mailed token.
    func remember(_ network: ClientNetwork, of user: UserID, _ transaction: Transaction) throws {
        try self.accounts.remember(try self.budgets.knownNetwork(network), of: user, transaction)
    }
}
