import Database
import Encryption
import Models
import ServiceKit

/// Integrations and, through the vault, their credentials.
struct IntegrationStore: Sendable {
    let database: Postgres
    let vault: CredentialVault

    // MARK: Reading

    func find(_ id: IntegrationID, in organization: OrganizationID) async throws -> Integration? {
        try await self.database.readFirst(
            """
            SELECT \(raw: Integration.columns) FROM integrations AS integration
            WHERE integration.organization_id = \(organization) AND integration.id = \(id) AND integration.deleted_at IS NULL
            """,
            as: Integration.self
        )
    }

    /// Newest first; one more than the limit, which only tells that there is more.
    func list(_ page: PageRequest, provider: String?, in organization: OrganizationID) async throws -> [Integration] {
        try await self.database.read(
            """
            SELECT \(raw: Integration.columns) FROM integrations AS integration
            WHERE integration.organization_id = \(organization) AND integration.deleted_at IS NULL
                AND (\(page.before)::bigint IS NULL OR integration.id < \(page.before)::bigint)
                AND (\(provider)::text IS NULL OR integration.provider = \(provider)::text)
            ORDER BY integration.id DESC
            LIMIT \(page.limit + 1)::bigint
            """,
            as: Integration.self
        )
    }

    /// The integration with its credentials opened. A deleted one is answered too, without credentials: what was sent through it still counts.
    func connection(_ id: IntegrationID, in organization: OrganizationID) async throws -> Connection? {
        let found = try await self.database.readFirst(
            """
            SELECT \(raw: Integration.columns) FROM integrations AS integration
            WHERE integration.organization_id = \(organization) AND integration.id = \(id)
            """,
            as: Integration.self
        )
        guard let integration = found else { return nil }
        return Connection(integration: integration, secrets: try await self.vault.open(integration.id, in: organization))
    }

    // MARK: Writing

    func insert(_ new: NewIntegration, in organization: OrganizationID, _ transaction: Transaction) throws -> Integration {
        let inserted = try transaction.first(
            """
            INSERT INTO integrations AS integration (organization_id, provider, name, config, sync_interval, next_sync_at)
            VALUES (\(organization)::bigint, \(new.definition.key), \(new.name), \(JSONValue.object(new.draft.plain))::jsonb,
                \(new.syncInterval)::integer, now() + make_interval(secs => \(new.syncInterval)::integer))
            RETURNING integration.id
            """,
            as: Int64.self
        )
        guard let id = inserted.map({ IntegrationID($0) }) else { throw Problem(.internal, "The integration was not stored.") }
        try self.vault.store(new.draft, of: id, in: organization, transaction)
        guard let integration = try self.locked(id, in: organization, transaction) else { throw Problem.notFound }
        return integration
    }

    /// The row, locked until the transaction ends.
    func locked(_ id: IntegrationID, in organization: OrganizationID, _ transaction: Transaction) throws -> Integration? {
        try transaction.first(
            """
            SELECT \(raw: Integration.columns) FROM integrations AS integration
            WHERE integration.organization_id = \(organization) AND integration.id = \(id) AND integration.deleted_at IS NULL
            FOR UPDATE OF integration
            """,
            as: Integration.self
        )
    }

    /// New credentials clear `needs_attention`; a status that is given wins.
    func update(_ integration: Integration, _ change: IntegrationChange, _ transaction: Transaction) throws -> Integration {
        let hasNewSecrets = change.draft.map { !$0.secrets.isEmpty } ?? false
        let status = change.status ?? (hasNewSecrets && integration.status == .needsAttention ? .enabled : integration.status)
        let config = change.draft.map { JSONValue.object($0.plain) }
        try transaction.write(
            """
            UPDATE integrations
            SET name = COALESCE(\(change.name)::text, name),
                config = COALESCE(\(config)::jsonb, config),
                status = \(status)::text,
                status_reason = CASE WHEN \(status)::text = 'needs_attention' THEN status_reason END,
                sync_interval = COALESCE(\(change.syncInterval)::integer, sync_interval),
                next_sync_at = CASE
                    WHEN \(change.syncInterval)::integer IS NULL THEN next_sync_at
                    ELSE now() + make_interval(secs => \(change.syncInterval)::integer)
                END,
                updated_at = now()
            WHERE organization_id = \(integration.organizationID) AND id = \(integration.id)
            """
        )
        if let draft = change.draft { try self.vault.store(draft, of: integration.id, in: integration.organizationID, transaction) }
        guard let updated = try self.locked(integration.id, in: integration.organizationID, transaction) else { throw Problem.notFound }
        return updated
    }

    /// Forgets credentials and configuration. Records stay: what campaigns know of these contacts does not vanish with the connection.
    func delete(_ id: IntegrationID, in organization: OrganizationID, _ transaction: Transaction) throws -> Bool {
        let affected = try transaction.pipeline([
            """
            DELETE FROM credentials WHERE organization_id = \(organization) AND integration_id = \(id)
            """,
            """
            DELETE FROM sync_cursors WHERE organization_id = \(organization) AND integration_id = \(id)
            """,
            """
            UPDATE integrations
            SET deleted_at = now(), updated_at = now(), config = '{}', next_sync_at = NULL, status = 'paused', status_reason = NULL
            WHERE organization_id = \(organization) AND id = \(id) AND deleted_at IS NULL
            """,
        ])
        return affected.last == 1
    }
}
