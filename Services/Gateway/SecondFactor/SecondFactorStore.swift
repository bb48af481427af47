import Database
import Encryption
import Models

/// What somebody shows as second factor.
enum FactorProof: Sendable {
    case code(Secret)
    case recovery(Secret)
}

struct SecondFactorStore: Sendable {
    private let cipher: Cipher

    init(keyRing: KeyRing) throws { self.cipher = try Cipher(keyRing, purpose: "second-factor") }

    /// Keeps a fresh secret that nothing asks for yet, in place of an earlier unconfirmed one.
    /// - Returns: false where the user has a confirmed one.
    func begin(_ secret: [UInt8], for user: UserID, _ transaction: Transaction) throws -> Bool {
        let sealed = try self.cipher.seal(secret, for: Self.context(user))
        return try transaction.write(
            """
            INSERT INTO second_factors (user_id, secret) VALUES (\(user), \(sealed))
            ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, last_step = 0, created_at = now()
            WHERE second_factors.confirmed_at IS NULL
            """
        ) == 1
    }

    /// A first code shows that the authenticator works.
    /// - Returns: fresh recovery codes; nil where the code is wrong or nothing waits to be confirmed.
    func confirm(_ code: Secret, of user: UserID, _ transaction: Transaction) throws -> [RecoveryCode]? {
        guard let factor = try self.factor(of: user, isConfirmed: false, transaction), try self.use(code, of: factor, transaction) else {
            return nil
        }
        let codes = try (0..<RecoveryCode.count).map { _ in try RecoveryCode() }
        try transaction.pipeline([
            "UPDATE second_factors SET confirmed_at = now() WHERE user_id = \(user)",
            """
            INSERT INTO recovery_codes (user_id, code_hash)
            SELECT \(user)::bigint, code_hash FROM unnest(\(codes.map(\.digest))::bytea[]) AS made (code_hash)
            """,
        ])
        return codes
    }

    /// True for a right proof, which is used up by it. Two who show the same one at once wait for one another on the row.
    func isRight(_ proof: FactorProof, of user: UserID, _ transaction: Transaction) throws -> Bool {
        guard let factor = try self.factor(of: user, isConfirmed: true, transaction) else { return false }
        switch proof {
        case .code(let code): return try self.use(code, of: factor, transaction)
        case .recovery(let code):
            return try transaction.write(
                "DELETE FROM recovery_codes WHERE user_id = \(user) AND code_hash = \(try RecoveryCode.digest(code))"
            ) == 1
        }
    }

    func isConfirmed(for user: UserID, _ transaction: Transaction) throws -> Bool {
        try transaction.first(
            "SELECT EXISTS (SELECT 1 FROM second_factors WHERE user_id = \(user) AND confirmed_at IS NOT NULL)",
            as: Bool.self
        ) ?? false
    }

    /// Recovery codes go with it.
    func remove(of user: UserID, _ transaction: Transaction) throws {
        try transaction.write("DELETE FROM second_factors WHERE user_id = \(user)")
    }

    private func factor(of user: UserID, isConfirmed: Bool, _ transaction: Transaction) throws -> StoredFactor? {
        try transaction.first(
            """
            SELECT user_id, secret, last_step, floor(EXTRACT(EPOCH FROM clock_timestamp()) / \(Double(OneTimePassword.stepSeconds)))::bigint AS step
            FROM second_factors WHERE user_id = \(user) AND (confirmed_at IS NOT NULL) = \(isConfirmed)
            FOR UPDATE
            """
        )
    }

    private func use(_ code: Secret, of factor: StoredFactor, _ transaction: Transaction) throws -> Bool {
        let secret = try self.cipher.open(factor.secret, for: Self.context(factor.user))
        let match = try OneTimePassword.step(of: code.reveal(), secret, now: factor.step, after: factor.lastStep)
        guard let match else { return false }
        return try transaction.write(
            "UPDATE second_factors SET last_step = \(match) WHERE user_id = \(factor.user) AND last_step < \(match)"
        ) == 1
    }

    /// Users belong to no one organization.
    private static func context(_ user: UserID) -> CipherContext {
        CipherContext(organization: OrganizationID(0), row: "user:\(user)", field: "second_factors.secret")
    }
}

private struct StoredFactor: RowDecodable {
    var user: UserID
    var secret: [UInt8]
    var lastStep: Int64
    /// The present time step by Postgres's clock.
    var step: Int64

    init(row: Row) throws {
        self.user = try row.get("user_id")
        self.secret = try row.get("secret")
        self.lastStep = try row.get("last_step")
        self.step = try row.get("step")
    }
}
