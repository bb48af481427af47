import Database
import Models

/// What a mailed token of a user is good for.
enum TokenPurpose: String, Sendable, SQLEncodable {
    case verifyEmail = "verify_email"
    case resetPassword = "reset_password"

    var format: TokenFormat {
        switch self {
        case .verifyEmail: .verification
        case .resetPassword: .reset
        }
    }

    /// Seconds.
    var lifetime: Int {
        switch self {
        case .verifyEmail: 86_400
        case .resetPassword: 3_600
        }
    }

    /// The same whether the token is mistyped, unknown, too old or used.
    static let refused = Problem(.unauthenticated, "The token is not valid: it is unknown, too old, or was used before.")
}

/// Tokens that are mailed to users: shown once, stored as digests, used once.
struct UserTokenStore: Sendable {
    let database: Postgres

    func issue(_ purpose: TokenPurpose, for user: UserID, at email: String, _ transaction: Transaction) throws -> Secret {
        let token = try purpose.format.make()
        try transaction.write(
            """
            INSERT INTO user_tokens (token_hash, user_id, purpose, email, expires_at)
            VALUES (
                \(try TokenDigest(token.reveal()).bytes), \(user), \(purpose), \(email), now() + make_interval(secs => \(purpose.lifetime))
            )
            """
        )
        return token
    }

    /// A look before the work: nobody without a token makes the gateway hash a password.
    func isValid(_ digest: TokenDigest, for purpose: TokenPurpose) async throws -> Bool {
        try await self.database.readFirst(
            """
            SELECT EXISTS (
                SELECT 1 FROM user_tokens WHERE token_hash = \(digest.bytes) AND purpose = \(purpose) AND expires_at > now()
            )
            """
        ) ?? false
    }

    /// The DELETE decides between two who show the token at the same time.
    func use(_ digest: TokenDigest, for purpose: TokenPurpose, _ transaction: Transaction) throws -> UsedToken? {
        try transaction.first(
            """
            DELETE FROM user_tokens WHERE token_hash = \(digest.bytes) AND purpose = \(purpose) AND expires_at > now()
            RETURNING user_id, email
            """
        )
    }

    func discardAll(_ purpose: TokenPurpose, of user: UserID, _ transaction: Transaction) throws {
        try transaction.write("DELETE FROM user_tokens WHERE user_id = \(user) AND purpose = \(purpose)")
    }
}

struct UsedToken: RowDecodable {
    var user: UserID
    /// The address that it was mailed to.
    var email: String

    init(row: Row) throws {
        self.user = try row.get("user_id")
        self.email = try row.get("email")
    }
}
