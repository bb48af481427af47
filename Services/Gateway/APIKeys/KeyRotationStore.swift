import Database
import Models

/// Gives keys new strings, and keeps older ones for their grace.
struct KeyRotationStore: Sendable {
    let database: Postgres

    /// The key's present string is retired for `grace` seconds and the new one put in its place; strings that were retired before end then
    /// too, at the latest. The key's row must be locked.
    /// - Throws: 409 where too many older strings would still work.
    func rotate(
        _ id: APIKeyID,
        to material: APIKeyMaterial,
        _ rotation: KeyRotation,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws -> APIKey? {
        try transaction.write(
            """
            DELETE FROM retired_key_secrets
            WHERE organization_id = \(organization) AND key_id = \(id) AND (expires_at <= now() OR \(rotation.graceSeconds)::bigint = 0)
            """
        )
        if rotation.graceSeconds > 0 { try self.retire(id, for: rotation.graceSeconds, in: organization, transaction) }
        return try transaction.first(
            """
            UPDATE api_keys SET key_hash = \(material.digest.bytes), prefix = \(material.prefix)
            WHERE organization_id = \(organization) AND id = \(id)
            RETURNING \(raw: APIKey.columns)
            """
        )
    }

    private func retire(_ id: APIKeyID, for grace: Int64, in organization: OrganizationID, _ transaction: Transaction) throws {
        let older = try transaction.write(
            """
            UPDATE retired_key_secrets SET expires_at = LEAST(expires_at, now() + make_interval(secs => \(grace)))
            WHERE organization_id = \(organization) AND key_id = \(id)
            """
        )
        guard older < KeyRotation.mostRetired else {
            throw Problem(
                .conflict,
                "\(older) older strings of this key still work: wait until one has ended, or rotate with grace_seconds 0, which ends them all."
            )
        }
        try transaction.write(
            """
            INSERT INTO retired_key_secrets (organization_id, key_id, key_hash, prefix, expires_at)
            SELECT organization_id, id, key_hash, prefix, now() + make_interval(secs => \(grace)) FROM api_keys
            WHERE organization_id = \(organization) AND id = \(id)
            """
        )
    }

    /// Removes strings whose grace is over.
    func sweep() async throws {
        try await self.database.write("DELETE FROM retired_key_secrets WHERE expires_at < now()")
    }
}
