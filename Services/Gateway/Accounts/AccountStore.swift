import Database
import Models

/// What registration stores.
struct NewAccount: Sendable {
    var email: String
    var name: String
    var organizationName: String
    var passwordHash: String
}

/// How a user signs in, whichever organization they then act in.
struct PasswordRecord: RowDecodable {
    var userID: UserID
    var hash: String

    init(row: Row) throws {
        self.userID = try row.get("id")
        self.hash = try row.get("password_hash")
    }
}

struct AccountStore: Sendable {
    let database: Postgres

    /// Makes user, organization and the owner's membership. nil where the address is taken, in whatever case it is written.
    func create(_ new: NewAccount, _ transaction: Transaction) throws -> Account? {
        let user = try transaction.first(
            """
            INSERT INTO users (email, name, password_hash) VALUES (\(new.email), \(new.name), \(new.passwordHash))
            ON CONFLICT (lower(email)) DO NOTHING
            RETURNING id
            """,
            as: Int64.self
        )
        guard let user else { return nil }
        return try transaction.first(
            """
            WITH made AS (
                INSERT INTO organizations (name) VALUES (\(new.organizationName)) RETURNING id, name, tier
            ), joined AS (
                INSERT INTO memberships (organization_id, user_id, role) SELECT made.id, \(user)::bigint, 'owner' FROM made RETURNING role
            )
            SELECT \(user)::bigint AS user_id, \(new.email)::text AS email, \(new.name)::text AS user_name,
                made.id AS organization_id, made.name AS organization_name, made.tier, joined.role
            FROM made, joined
            """,
            as: Account.self
        )
    }

    func password(of email: String) async throws -> PasswordRecord? {
        try await self.database.readFirst("SELECT id, password_hash FROM users WHERE lower(email) = lower(\(email))")
    }

    /// Stores a hash made with newer parameters, unless the password was changed meanwhile.
    func replacePasswordHash(of user: UserID, _ old: String, by new: String) async throws {
        try await self.database.write(
            "UPDATE users SET password_hash = \(new) WHERE id = \(user) AND password_hash = \(old)"
        )
    }

    /// The organization that a user acts in right after signing in: the one they have belonged to for the longest.
    func first(of user: UserID, _ transaction: Transaction) throws -> Account? {
        try transaction.first(
            """
            SELECT \(raw: Account.columns)
            FROM memberships m
            JOIN users u ON u.id = m.user_id
            JOIN organizations o ON o.id = m.organization_id
            WHERE m.user_id = \(user)
            ORDER BY m.created_at, m.organization_id
            LIMIT 1
            """
        )
    }

    func find(_ user: UserID, in organization: OrganizationID) async throws -> Account? {
        try await self.database.readFirst(Self.membership(of: user, in: organization))
    }

    func find(_ user: UserID, in organization: OrganizationID, _ transaction: Transaction) throws -> Account? {
        try transaction.first(Self.membership(of: user, in: organization))
    }

    private static func membership(of user: UserID, in organization: OrganizationID) -> Query {
        """
        SELECT \(raw: Account.columns)
        FROM memberships m
        JOIN users u ON u.id = m.user_id
        JOIN organizations o ON o.id = m.organization_id
        WHERE m.organization_id = \(organization) AND m.user_id = \(user)
        """
    }
}
