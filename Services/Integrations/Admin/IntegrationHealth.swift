import Database
import Foundation
import Models

/// What is known of how an integration does, from its status and its sync runs.
enum IntegrationHealth: String, Codable, CaseIterable, Sendable, SQLDecodable {
    /// Its last sync that came to an end succeeded.
    case healthy
    /// A sync waits for the provider's limit or trouble to be over.
    case waiting
    /// It needs a person, or its last sync failed.
    case failing
    /// A member has paused it.
    case paused
    /// Nothing was synced yet, or there is nothing to sync: no fault is known.
    case unknown

    /// The one definition of health, over `integrations AS integration` and ``joins``.
    static let column: StaticString = """
        CASE
            WHEN integration.status = 'paused' THEN 'paused'
            WHEN integration.status = 'needs_attention' THEN 'failing'
            WHEN is_waiting.waits THEN 'waiting'
            WHEN settled.state = 'failed' THEN 'failing'
            WHEN settled.state = 'succeeded' THEN 'healthy'
            ELSE 'unknown'
        END
        """

    /// Each looks at the newest few runs of an integration, through their index.
    static let joins: StaticString = """
        LEFT JOIN LATERAL (
            SELECT run.state, run.error FROM sync_runs AS run
            WHERE run.organization_id = integration.organization_id AND run.integration_id = integration.id
                AND run.state IN ('succeeded', 'failed')
            ORDER BY run.id DESC LIMIT 1
        ) AS settled ON TRUE
        LEFT JOIN LATERAL (
            SELECT TRUE AS waits FROM sync_runs AS run
            WHERE run.organization_id = integration.organization_id AND run.integration_id = integration.id AND run.state = 'waiting'
            LIMIT 1
        ) AS is_waiting ON TRUE
        """
}

/// An integration as admins see it.
struct AdminIntegration: Sendable {
    let integration: Integration
    let health: IntegrationHealth
    /// The newest run, whatever its state.
    let lastRunID: Int64?
}

extension AdminIntegration: RowDecodable {
    init(row: Row) throws {
        self.integration = try Integration(row: row)
        self.health = try row.get("health")
        self.lastRunID = try row.get("last_run_id")
    }
}

struct AdminIntegrationView: Encodable, Sendable {
    let view: IntegrationView
    let health: IntegrationHealth
    let lastSync: SyncRunView?

    private enum CodingKeys: String, CodingKey {
        case health
        case lastSync = "last_sync"
    }

    func encode(to encoder: any Encoder) throws {
        try self.view.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.health, forKey: .health)
        try container.encode(self.lastSync, forKey: .lastSync)
    }
}

/// A provider of the catalogue with how many of the organization's integrations use it.
struct AdminProviderView: Encodable, Sendable {
    let definition: ProviderDefinition
    let count: IntegrationsSummary.ProviderCount?

    private enum CodingKeys: String, CodingKey { case integrations, failing }

    func encode(to encoder: any Encoder) throws {
        try self.definition.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.count?.integrations ?? 0, forKey: .integrations)
        try container.encode(self.count?.failing ?? 0, forKey: .failing)
    }
}
