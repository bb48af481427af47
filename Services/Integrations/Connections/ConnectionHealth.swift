import Database
import Models
import ServiceKit

/// Remembers that a provider refuses an integration's credentials, and tells of it once.
struct ConnectionHealth: Sendable {
    let database: Postgres
    let outbox: Outbox

    /// Only an enabled integration changes: whoever comes second changes nothing and no second event is written.
    func needsAttention(_ id: IntegrationID, in organization: OrganizationID, because reason: String) async throws {
        let outbox = self.outbox
        try await self.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            try Self.mark(id, in: organization, because: reason, outbox, transaction)
        }
    }

    /// Of its notices. With new credentials it is another: their refusal is news, not a repeat.
    private static func key(of id: IntegrationID, in organization: OrganizationID, _ transaction: Transaction) throws -> String {
        let stored = try transaction.first(
            """
            SELECT COALESCE((EXTRACT(EPOCH FROM max(updated_at)) * 1000000)::bigint, 0) FROM credentials
            WHERE organization_id = \(organization) AND integration_id = \(id)
            """,
            as: Int64.self
        )
        return "integration:\(id):\(stored ?? 0)"
    }

    static func mark(
        _ id: IntegrationID,
        in organization: OrganizationID,
        because reason: String,
        _ outbox: Outbox,
        _ transaction: Transaction
    ) throws {
        let marked = try transaction.first(
            """
            UPDATE integrations AS integration
            SET status = 'needs_attention', status_reason = \(reason)::text, updated_at = now()
            WHERE organization_id = \(organization) AND id = \(id) AND status = 'enabled' AND deleted_at IS NULL
            RETURNING \(raw: Integration.columns)
            """,
            as: Integration.self
        )
        guard let marked else { return }
        try outbox.append(
            .integrationFailed,
            [
                "integration_id": .integer(marked.id.rawValue), "provider": .string(marked.provider), "name": .string(marked.name),
                "reason": .string(reason),
            ],
            for: organization,
            in: transaction
        )
        try outbox.auditSystem(
            "integration.needs_attention",
            target: "integration:\(id)",
            details: ["before": ["status": "enabled"], "after": ["status": "needs_attention"], "reason": .string(reason)],
            for: organization,
            in: transaction
        )
        try outbox.notify(
            .integrationFailed,
            about: NoticeSubject("integration", id, marked.name),
            title: "The integration “\(marked.name)” needs attention",
            detail: reason,
            key: try Self.key(of: id, in: organization, transaction),
            for: organization,
            in: transaction
        )
    }

    /// A passed test clears what a refusal had set.
    func recovered(_ id: IntegrationID, in organization: OrganizationID) async throws {
        let outbox = self.outbox
        try await self.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            let recovered = try transaction.first(
                """
                UPDATE integrations AS integration SET status = 'enabled', status_reason = NULL, updated_at = now()
                WHERE organization_id = \(organization) AND id = \(id) AND status = 'needs_attention' AND deleted_at IS NULL
                RETURNING \(raw: Integration.columns)
                """,
                as: Integration.self
            )
            guard let recovered else { return }
            try outbox.auditSystem(
                "integration.recovered",
                target: "integration:\(id)",
                details: ["before": ["status": "needs_attention"], "after": ["status": "enabled"]],
                for: organization,
                in: transaction
            )
            try outbox.notify(
                .integrationRecovered,
                about: NoticeSubject("integration", id, recovered.name),
                title: "The integration “\(recovered.name)” works again",
                detail: "The provider took its credentials when the connection was tested.",
                key: try Self.key(of: id, in: organization, transaction),
                for: organization,
                in: transaction
            )
        }
    }
}
