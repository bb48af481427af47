import Database
import Foundation
import Models

/// Reads an organization's integrations for its admins.
struct IntegrationAdminStore: Sendable {
    /// What the overview shows of the failing ones and of the last syncs.
    static let failingShown = 10
    static let syncsShown = 5

    let database: Postgres

    /// Newest first; one more than the limit.
    func list(_ page: PageRequest, provider: String?, in organization: OrganizationID) async throws -> [AdminIntegration] {
        var query: Query = """
            SELECT \(raw: Integration.columns), \(raw: IntegrationHealth.column) AS health, newest.id AS last_run_id
            FROM integrations AS integration
            \(raw: IntegrationHealth.joins)
            LEFT JOIN LATERAL (
                SELECT run.id FROM sync_runs AS run
                WHERE run.organization_id = integration.organization_id AND run.integration_id = integration.id
                ORDER BY run.id DESC LIMIT 1
            ) AS newest ON TRUE
            WHERE integration.organization_id = \(organization) AND integration.deleted_at IS NULL
                AND integration.id < \(page.before ?? .max)
            """
        if let provider { query += " AND integration.provider = \(provider)" }
        return try await self.database.read(query + " ORDER BY integration.id DESC LIMIT \(page.limit + 1)")
    }

    func runs(_ ids: [Int64], in organization: OrganizationID) async throws -> [Int64: SyncRun] {
        let runs: [SyncRun] = try await self.database.read(
            """
            SELECT \(raw: SyncRun.columns) FROM sync_runs AS run
            WHERE run.organization_id = \(organization) AND run.id = ANY(\(ids)::bigint[])
            """
        )
        return Dictionary(runs.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
    }

    func providers(in organization: OrganizationID) async throws -> [IntegrationsSummary.ProviderCount] {
        IntegrationCounts.providers(try await self.counts(in: organization))
    }

    func summary(of organization: OrganizationID) async throws -> IntegrationsSummary {
        async let counts = self.counts(in: organization)
        async let failing = self.failing(in: organization)
        async let syncs = self.lastSyncs(in: organization)
        return try await IntegrationCounts.summary(counts, failing: failing, lastSyncs: syncs)
    }

    /// One row for each provider, status and health that there is.
    private func counts(in organization: OrganizationID) async throws -> [IntegrationCounts.Group] {
        try await self.database.read(
            """
            SELECT integration.provider, integration.status, \(raw: IntegrationHealth.column) AS health, count(*) AS count
            FROM integrations AS integration
            \(raw: IntegrationHealth.joins)
            WHERE integration.organization_id = \(organization) AND integration.deleted_at IS NULL
            GROUP BY 1, 2, 3
            ORDER BY 1, 2, 3
            """
        )
    }

    private func failing(in organization: OrganizationID) async throws -> [IntegrationsSummary.FailingIntegration] {
        try await self.database.read(
            """
            SELECT id, provider, name, status, COALESCE(status_reason, error) AS reason, last_synced_at
            FROM (
                SELECT integration.id, integration.provider, integration.name, integration.status, integration.status_reason,
                    integration.last_synced_at, settled.error, \(raw: IntegrationHealth.column) AS health
                FROM integrations AS integration
                \(raw: IntegrationHealth.joins)
                WHERE integration.organization_id = \(organization) AND integration.deleted_at IS NULL
            ) AS judged
            WHERE health = 'failing'
            ORDER BY id DESC
            LIMIT \(Self.failingShown)
            """
        )
    }

    private func lastSyncs(in organization: OrganizationID) async throws -> [IntegrationsSummary.SyncBrief] {
        try await self.database.read(
            """
            SELECT run.id, run.integration_id, integration.name, run.state, run.fetched, run.error, run.created_at, run.finished_at
            FROM sync_runs AS run
            JOIN integrations AS integration
                ON integration.organization_id = run.organization_id AND integration.id = run.integration_id
                AND integration.deleted_at IS NULL
            WHERE run.organization_id = \(organization)
            ORDER BY run.id DESC
            LIMIT \(Self.syncsShown)
            """
        )
    }

    // MARK: - Tests of many

    /// Those of these ids that are the organization's and not deleted, in the order of the ids.
    func find(_ ids: [IntegrationID], in organization: OrganizationID) async throws -> [TestTarget] {
        let found: [TestTarget] = try await self.database.read(
            """
            SELECT id, provider, name FROM integrations
            WHERE organization_id = \(organization) AND id = ANY(\(ids)::bigint[]) AND deleted_at IS NULL
            """
        )
        let byID = Dictionary(found.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        return ids.compactMap { byID[$0] }
    }

    /// The newest, and how many there are in all.
    func newest(_ limit: Int, in organization: OrganizationID) async throws -> (targets: [TestTarget], count: Int) {
        async let targets: [TestTarget] = self.database.read(
            """
            SELECT id, provider, name FROM integrations
            WHERE organization_id = \(organization) AND deleted_at IS NULL
            ORDER BY id DESC LIMIT \(limit)
            """
        )
        async let count = self.database.readFirst(
            "SELECT count(*) FROM integrations WHERE organization_id = \(organization) AND deleted_at IS NULL",
            as: Int.self
        )
        return try await (targets, count ?? 0)
    }
}

/// Adds groups up in the ways that are shown.
enum IntegrationCounts {
    struct Group: Sendable {
        var provider: String
        var status: Integration.Status
        var health: IntegrationHealth
        var count: Int
    }

    static func providers(_ groups: [Group]) -> [IntegrationsSummary.ProviderCount] {
        Dictionary(grouping: groups, by: \.provider)
            .map { provider, groups in
                IntegrationsSummary.ProviderCount(
                    provider: provider,
                    integrations: groups.reduce(0) { $0 + $1.count },
                    failing: groups.reduce(0) { $0 + ($1.health == .failing ? $1.count : 0) }
                )
            }
            .sorted { $0.provider < $1.provider }
    }

    static func summary(
        _ groups: [Group],
        failing: [IntegrationsSummary.FailingIntegration],
        lastSyncs: [IntegrationsSummary.SyncBrief]
    ) -> IntegrationsSummary {
        var (status, health) = (IntegrationsSummary.StatusCounts(), IntegrationsSummary.HealthCounts())
        for group in groups {
            switch group.status {
            case .enabled: status.enabled += group.count
            case .paused: status.paused += group.count
            case .needsAttention: status.needsAttention += group.count
            }
            switch group.health {
            case .healthy: health.healthy += group.count
            case .waiting: health.waiting += group.count
            case .failing: health.failing += group.count
            case .paused: health.paused += group.count
            case .unknown: health.unknown += group.count
            }
        }
        return IntegrationsSummary(
            total: groups.reduce(0) { $0 + $1.count },
            byStatus: status,
            byHealth: health,
            providers: Self.providers(groups),
            failing: failing,
            lastSyncs: lastSyncs
        )
    }
}

extension IntegrationCounts.Group: RowDecodable {
    init(row: Row) throws {
        self.provider = try row.get("provider")
        self.status = try row.get("status")
        self.health = try row.get("health")
        self.count = try row.get("count")
    }
}

extension IntegrationsSummary.FailingIntegration: RowDecodable {
    init(row: Row) throws {
        self.init(
            id: try row.get("id"),
            provider: try row.get("provider"),
            name: try row.get("name"),
            status: try row.get("status"),
            reason: try row.get("reason"),
            lastSyncedAt: try row.get("last_synced_at")
        )
    }
}

extension IntegrationsSummary.SyncBrief: RowDecodable {
    init(row: Row) throws {
        self.init(
            id: try row.get("id"),
            integrationID: try row.get("integration_id"),
            name: try row.get("name"),
            state: try row.get("state"),
            fetched: try row.get("fetched"),
            error: try row.get("error"),
            createdAt: try row.get("created_at"),
            finishedAt: try row.get("finished_at")
        )
    }
}
