import Database
import Models

struct MemberStore: Sendable {
    let database: Postgres

    /// Members, newest user first.
    func list(_ page: PageRequest, in organization: OrganizationID) async throws -> [Member] {
        try await self.database.read(
            Self.member(in: organization) + "AND u.id < \(page.before ?? .max) ORDER BY u.id DESC LIMIT \(page.limit + 1)"
        )
    }

    func find(_ user: UserID, in organization: OrganizationID, _ transaction: Transaction) throws -> Member? {
        try transaction.first(Self.member(in: organization) + "AND u.id = \(user)")
    }

    private static func member(in organization: OrganizationID) -> Query {
        """
        SELECT u.id, u.email, u.name, m.role, m.created_at AS joined_at, (
            SELECT MAX(GREATEST(s.last_used_at, s.refreshed_at)) FROM sessions s
            WHERE s.organization_id = m.organization_id AND s.user_id = m.user_id
        ) AS last_used_at
        FROM memberships m JOIN users u ON u.id = m.user_id
        WHERE m.organization_id = \(organization)

        """
    }

    func owners(of organization: OrganizationID, _ transaction: Transaction) throws -> Set<UserID> {
        Set(
            try transaction.rows(
                "SELECT user_id FROM memberships WHERE organization_id = \(organization) AND role = \(Role.owner)",
                as: UserID.self
            )
        )
    }

    /// - Returns: false where they are a member already.
    func add(_ user: UserID, as role: Role, to organization: OrganizationID, _ transaction: Transaction) throws -> Bool {
        try transaction.write(
            """
            INSERT INTO memberships (organization_id, user_id, role) VALUES (\(organization), \(user), \(role))
            ON CONFLICT (organization_id, user_id) DO NOTHING
            """
        ) == 1
    }

    func change(_ user: UserID, to role: Role, in organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.write(
            "UPDATE memberships SET role = \(role) WHERE organization_id = \(organization) AND user_id = \(user)"
        )
    }

    /// The sessions in this organization go with the membership.
    func remove(_ user: UserID, from organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.write("DELETE FROM memberships WHERE organization_id = \(organization) AND user_id = \(user)")
    }

    /// Revokes what they made in the organization's name: their keys, and those that their keys made, are all theirs.
    func revokeKeys(of user: UserID, in organization: OrganizationID, _ transaction: Transaction) throws -> [APIKeyID] {
        try transaction.rows(
            """
            UPDATE api_keys SET revoked_at = now()
            WHERE organization_id = \(organization) AND created_by = \(user) AND revoked_at IS NULL
            RETURNING id
            """,
            as: APIKeyID.self
        )
    }
}
