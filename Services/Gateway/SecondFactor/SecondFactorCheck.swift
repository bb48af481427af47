import Database
import Models
import ServiceKit

/// Asks for the second factor of those who have one, under a limit of guesses of its own.
struct SecondFactorCheck: Sendable {
    let database: Postgres
    let factors: SecondFactorStore
    let attempts: AttemptStore
    let budgets: AttemptBudgets

    static let needed = Problem(.secondFactorRequired, "The password is right. Send totp_code or recovery_code with it.")
    static let wrong = Problem(.secondFactorRequired, "The password is right. The code is wrong or was used before.")

    /// `totp_code` or `recovery_code`, both optional.
    static func proof(_ reader: inout FieldReader) -> FactorProof? {
        let code = reader.optionalSecret("totp_code", 1...20)
        let recovery = reader.optionalSecret("recovery_code", 1...40)
        if code != nil, recovery != nil { reader.fault("recovery_code", "must not stand beside totp_code") }
        return code.map { .code($0) } ?? recovery.map { .recovery($0) }
    }

    /// After the password was right. A wrong code is counted and stays so; a right one is used up even if what follows fails.
    /// - Returns: whether the user has a second factor.
    /// - Throws: ``needed``, ``wrong``, or a 429 problem.
    @discardableResult
    func check(_ proof: FactorProof?, of user: UserID) async throws -> Bool {
        let isNeeded = try await self.database.transaction { try self.factors.isConfirmed(for: user, $0) }
        guard isNeeded else { return false }
        guard let proof else { throw Self.needed }
        let budget = try self.budgets.of(.code, "\(user)")
        try await self.attempts.charge([budget])
        // A transaction of its own, which must not roll back with what comes after: the code would work again.
        let isRight = try await self.database.transaction { transaction in
            let isRight = try self.factors.isRight(proof, of: user, transaction)
            if isRight { try self.attempts.refund([budget], transaction) }
            return isRight
        }
        guard isRight else { throw Self.wrong }
        return true
    }
}
