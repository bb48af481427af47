import Database
import Models

struct InvitationStore: Sendable {
    let database: Postgres

    func list(_ page: PageRequest, in organization: OrganizationID) async throws -> [Invitation] {
        try await self.database.read(
            """
            SELECT \(raw: Invitation.columns) FROM invitations
            WHERE organization_id = \(organization) AND revoked_at IS NULL AND id < \(page.before ?? .max)
            ORDER BY id DESC
            LIMIT \(page.limit + 1)
            """
        )
    }

    func isMember(_ email: String, of organization: OrganizationID, _ transaction: Transaction) throws -> Bool {
        try transaction.first(
            """
            SELECT EXISTS (
                SELECT 1 FROM memberships m JOIN users u ON u.id = m.user_id
                WHERE m.organization_id = \(organization) AND lower(u.email) = lower(\(email))
            )
            """,
            as: Bool.self
        ) ?? false
    }

    /// In place of one that has expired.
    /// - Returns: nil where the address has an open one.
    func insert(
        _ new: NewInvitation,
        _ digest: TokenDigest,
        by inviter: UserID,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws -> Invitation? {
        try transaction.write(
            """
            UPDATE invitations SET revoked_at = now()
            WHERE organization_id = \(organization) AND lower(email) = lower(\(new.email))
                AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at <= now()
            """
        )
        return try transaction.first(
            """
            INSERT INTO invitations (organization_id, email, role, token_hash, invited_by, expires_at)
            VALUES (
                \(organization), \(new.email), \(new.role), \(digest.bytes), \(inviter),
                now() + make_interval(secs => \(NewInvitation.lifetime))
            )
            ON CONFLICT (organization_id, lower(email)) WHERE accepted_at IS NULL AND revoked_at IS NULL DO NOTHING
            RETURNING \(raw: Invitation.columns)
            """
        )
    }

    /// - Returns: the address; nil where there is no such invitation that waits.
    func revoke(_ id: InvitationID, in organization: OrganizationID, _ transaction: Transaction) throws -> String? {
        try transaction.first(
            """
            UPDATE invitations SET revoked_at = now()
            WHERE organization_id = \(organization) AND id = \(id) AND accepted_at IS NULL AND revoked_at IS NULL
            RETURNING email
            """,
            as: String.self
        )
    }

    func revokeAll(by inviter: UserID, in organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.write(
            """
            UPDATE invitations SET revoked_at = now()
            WHERE organization_id = \(organization) AND invited_by = \(inviter) AND accepted_at IS NULL AND revoked_at IS NULL
            """
        )
    }

    /// One of the reads that cannot name an organization: the token is what tells it.
    func find(_ digest: TokenDigest) async throws -> OpenInvitation? {
        try await self.database.readFirst(
            """
            SELECT organization_id, id, email, role, invited_by FROM invitations
            WHERE token_hash = \(digest.bytes) AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()
            """
        )
    }

    /// The UPDATE decides between two who show the token at the same time.
    func use(_ invitation: OpenInvitation, _ transaction: Transaction) throws -> Bool {
        try transaction.write(
            """
            UPDATE invitations SET accepted_at = now()
            WHERE organization_id = \(invitation.organization) AND id = \(invitation.id)
                AND accepted_at IS NULL AND revoked_at IS NULL AND expires_at > now()
            """
        ) == 1
    }
}
