import Database
import Models

/// What stands for a person before there is a user.
struct NewUser: Sendable {
    var email: String
    var name: String
    var passwordHash: String
    /// A mailed token brought them here.
    var isEmailVerified: Bool
}

/// How a user signs in, whichever organization they then act in.
struct PasswordRecord: RowDecodable {
    var userID: UserID
    var email: String
    var hash: String
    /// They have signed in from the visitor's network before.
    var isNetworkKnown: Bool

    init(row: Row) throws {
        self.userID = try row.get("id")
        self.email = try row.get("email")
        self.hash = try row.get("password_hash")
        self.isNetworkKnown = try row.get("is_known")
    }
}

struct AccountStore: Sendable {
    /// Days for which a network counts as known after the last sign-in from it.
    static let networkMemory = 90

    let database: Postgres

    /// nil where the address is taken, in whatever case it is written.
    func create(_ new: NewUser, _ transaction: Transaction) throws -> UserID? {
        try transaction.first(
            """
            INSERT INTO users (email, name, password_hash, email_verified_at)
            VALUES (\(new.email), \(new.name), \(new.passwordHash), CASE WHEN \(new.isEmailVerified)::boolean THEN now() END)
            ON CONFLICT (lower(email)) DO NOTHING
            RETURNING id
            """,
            as: UserID.self
        )
    }

    func exists(_ email: String) async throws -> Bool {
        try await self.database.readFirst("SELECT EXISTS (SELECT 1 FROM users WHERE lower(email) = lower(\(email)))") ?? false
    }

    func password(of email: String, near network: String) async throws -> PasswordRecord? {
        try await self.database.readFirst(Self.passwordRecord(near: network) + "WHERE lower(u.email) = lower(\(email))")
    }

    func password(of user: UserID, near network: String) async throws -> PasswordRecord? {
        try await self.database.readFirst(Self.passwordRecord(near: network) + "WHERE u.id = \(user)")
    }

    private static func passwordRecord(near network: String) -> Query {
        """
        SELECT u.id, u.email, u.password_hash, EXISTS (
            SELECT 1 FROM known_networks k
            WHERE k.user_id = u.id AND k.network = \(network) AND k.signed_in_at > now() - make_interval(days => \(Self.networkMemory))
        ) AS is_known
        FROM users u

        """
    }

    func remember(_ network: String, of user: UserID, _ transaction: Transaction) throws {
        try transaction.write(
            """
            INSERT INTO known_networks (user_id, network) VALUES (\(user), \(network))
            ON CONFLICT (user_id, network) DO UPDATE SET signed_in_at = now()
            """
        )
    }

    /// Stores a hash made with newer parameters, unless the password was changed meanwhile.
    func replacePasswordHash(of user: UserID, _ old: String, by new: String) async throws {
        try await self.database.write(
            "UPDATE users SET password_hash = \(new) WHERE id = \(user) AND password_hash = \(old)"
        )
    }

    /// - Returns: false where the password was changed meanwhile.
    func changePassword(of user: UserID, _ old: String, to new: String, _ transaction: Transaction) throws -> Bool {
        try transaction.write("UPDATE users SET password_hash = \(new) WHERE id = \(user) AND password_hash = \(old)") == 1
    }

    /// By a token mailed to the user's address, which is proved by it.
    /// - Returns: whether it had been proved before.
    func resetPassword(of user: UserID, to hash: String, _ transaction: Transaction) throws -> Bool {
        let wasVerified = try transaction.first(
            "SELECT email_verified_at IS NOT NULL FROM users WHERE id = \(user) FOR UPDATE",
            as: Bool.self
        )
        try transaction.write(
            "UPDATE users SET password_hash = \(hash), email_verified_at = COALESCE(email_verified_at, now()) WHERE id = \(user)"
        )
        return wasVerified ?? false
    }

    /// True where the user's address is still the one that was proved.
    func verify(_ email: String, of user: UserID, _ transaction: Transaction) throws -> Bool {
        try transaction.write(
            """
            UPDATE users SET email_verified_at = COALESCE(email_verified_at, now())
            WHERE id = \(user) AND lower(email) = lower(\(email))
            """
        ) == 1
    }

    func user(with email: String, _ transaction: Transaction) throws -> (id: UserID, email: String)? {
        try transaction.first("SELECT id, email FROM users WHERE lower(email) = lower(\(email))", as: UserAddress.self)
            .map { ($0.id, $0.email) }
    }

    /// The organization that a user acts in right after signing in: the one they have belonged to for the longest.
    func first(of user: UserID, _ transaction: Transaction) throws -> Account? {
        try transaction.first(Self.account(of: user) + "ORDER BY m.created_at, m.organization_id LIMIT 1")
    }

    func find(_ user: UserID, in organization: OrganizationID) async throws -> Account? {
        try await self.database.readFirst(Self.account(of: user) + "AND m.organization_id = \(organization)")
    }

    func find(_ user: UserID, in organization: OrganizationID, _ transaction: Transaction) throws -> Account? {
        try transaction.first(Self.account(of: user) + "AND m.organization_id = \(organization)")
    }

    private static func account(of user: UserID) -> Query {
        """
        SELECT \(raw: Account.columns)
        FROM memberships m
        JOIN users u ON u.id = m.user_id
        JOIN organizations o ON o.id = m.organization_id
        WHERE m.user_id = \(user)

        """
    }
}

private struct UserAddress: RowDecodable {
    var id: UserID
    var email: String

    init(row: Row) throws {
        self.id = try row.get("id")
        self.email = try row.get("email")
    }
}
