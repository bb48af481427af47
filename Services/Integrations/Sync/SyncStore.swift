import Database
import Models
import ServiceKit

/// Sync runs: asked for, claimed with a fence, moved on page by page, finished.
struct SyncStore: Sendable {
    static let kind = RecordKind.contact

    let database: Postgres
    let outbox: Outbox
    /// Channel that wakes the sync workers at commit.
    let wakeChannel: String
    /// How long a claim holds without a page going well.
    let lease: Duration

    // MARK: Asking for runs

    /// A new run, or the one that is still open.
    func request(
        _ id: IntegrationID,
        in organization: OrganizationID,
        cause: SyncRun.Cause,
        _ transaction: Transaction
    ) throws -> SyncRun? {
        try transaction.write(
            """
            INSERT INTO sync_runs (organization_id, integration_id, kind, mode, cause)
            VALUES (\(organization)::bigint, \(id)::bigint, \(Self.kind.rawValue),
                CASE WHEN EXISTS (
                    SELECT FROM sync_cursors
                    WHERE organization_id = \(organization) AND integration_id = \(id) AND kind = \(Self.kind.rawValue) AND is_complete
                ) THEN 'incremental' ELSE 'full' END,
                \(cause)::text)
            ON CONFLICT (organization_id, integration_id, kind) WHERE state IN ('queued', 'running', 'waiting') DO NOTHING
            """
        )
        try transaction.notify(self.wakeChannel)
        return try transaction.first(
            """
            SELECT \(raw: SyncRun.columns) FROM sync_runs AS run
            WHERE run.organization_id = \(organization) AND run.integration_id = \(id) AND run.kind = \(Self.kind.rawValue)
                AND run.state IN ('queued', 'running', 'waiting')
            """,
            as: SyncRun.self
        )
    }

    /// Queues a run for every integration whose time has come.
    func scheduleDue() async throws {
        try await self.database.write(
            """
            WITH due AS (
                SELECT organization_id, id FROM integrations
                WHERE status = 'enabled' AND deleted_at IS NULL AND next_sync_at <= now()
                ORDER BY next_sync_at
                LIMIT 100
                FOR UPDATE SKIP LOCKED
            ),
            moved AS (
                UPDATE integrations AS integration
                SET next_sync_at = now() + make_interval(secs => integration.sync_interval)
                FROM due
                WHERE integration.organization_id = due.organization_id AND integration.id = due.id
                RETURNING integration.organization_id, integration.id
            )
            INSERT INTO sync_runs (organization_id, integration_id, kind, mode, cause)
            SELECT moved.organization_id, moved.id, \(Self.kind.rawValue)::text,
                CASE WHEN EXISTS (
                    SELECT FROM sync_cursors AS cursor
                    WHERE cursor.organization_id = moved.organization_id AND cursor.integration_id = moved.id
                        AND cursor.kind = \(Self.kind.rawValue)::text AND cursor.is_complete
                ) THEN 'incremental' ELSE 'full' END,
                'schedule'
            FROM moved
            ON CONFLICT (organization_id, integration_id, kind) WHERE state IN ('queued', 'running', 'waiting') DO NOTHING
            """
        )
    }

    /// A cancelled run's worker finds its fence gone at the next page.
    func cancelOpen(_ id: IntegrationID, in organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.write(
            """
            UPDATE sync_runs SET state = 'cancelled', fence = fence + 1, finished_at = now()
            WHERE organization_id = \(organization) AND integration_id = \(id) AND state IN ('queued', 'running', 'waiting')
            """
        )
    }

    func forgetCursor(_ id: IntegrationID, in organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.write(
            """
            DELETE FROM sync_cursors WHERE organization_id = \(organization) AND integration_id = \(id)
            """
        )
    }

    func list(_ page: PageRequest, of id: IntegrationID, in organization: OrganizationID) async throws -> [SyncRun] {
        try await self.database.read(
            """
            SELECT \(raw: SyncRun.columns) FROM sync_runs AS run
            WHERE run.organization_id = \(organization) AND run.integration_id = \(id)
                AND (\(page.before)::bigint IS NULL OR run.id < \(page.before)::bigint)
            ORDER BY run.id DESC
            LIMIT \(page.limit + 1)::bigint
            """,
            as: SyncRun.self
        )
    }

    // MARK: Working on runs

    /// Runs that wait for a worker, and those whose worker's lease has ended. The fence shuts a worker out that comes back.
    func claim(_ limit: Int, owner: String) async throws -> [SyncRun] {
        try await self.database.write(
            """
            WITH due AS (
                SELECT organization_id, id FROM sync_runs
                WHERE state IN ('queued', 'running', 'waiting') AND claimable_at <= now()
                ORDER BY claimable_at
                LIMIT \(limit)::bigint
                FOR UPDATE SKIP LOCKED
            )
            UPDATE sync_runs AS run
            SET state = 'running', owner = \(owner)::text, fence = run.fence + 1, wait_reason = NULL,
                claimable_at = now() + make_interval(secs => \(self.lease.seconds)::double precision),
                started_at = COALESCE(run.started_at, now())
            FROM due
            WHERE run.organization_id = due.organization_id AND run.id = due.id
            RETURNING \(raw: SyncRun.columns)
            """,
            as: SyncRun.self
        )
    }

    func cursor(of run: SyncRun) async throws -> JSONValue? {
        try await self.database.readFirst(
            """
            SELECT cursor FROM sync_cursors
            WHERE organization_id = \(run.organizationID) AND integration_id = \(run.integrationID) AND kind = \(Self.kind.rawValue)
            """,
            as: SavedCursor.self
        )?.value
    }

    private struct SavedCursor: RowDecodable {
        let value: JSONValue

        init(row: Row) throws { self.value = try row.get("cursor") }
    }

    /// Puts the run aside until the provider may be asked again.
    /// - countsAsFailure: adds to ``SyncRun/failures``, which a good page sets back.
    func wait(_ run: SyncRun, seconds: Double, reason: String, countsAsFailure: Bool) async throws {
        try await self.database.write(
            """
            UPDATE sync_runs
            SET state = 'waiting', owner = NULL, wait_reason = \(reason)::text, failures = failures + \(countsAsFailure ? 1 : 0)::integer,
                claimable_at = now() + make_interval(secs => \(seconds)::double precision)
            WHERE organization_id = \(run.organizationID) AND id = \(run.id) AND fence = \(run.fence) AND state = 'running'
            """
        )
    }

    /// Hands the run back: another worker goes on from the last page.
    func release(_ run: SyncRun) async throws {
        try await self.database.transaction { transaction in
            try transaction.write(
                """
                UPDATE sync_runs SET state = 'queued', owner = NULL, claimable_at = now()
                WHERE organization_id = \(run.organizationID) AND id = \(run.id) AND fence = \(run.fence) AND state = 'running'
                """
            )
            try transaction.notify(self.wakeChannel)
        }
    }

    /// - needsAttention: the provider refuses the credentials.
    func fail(_ run: SyncRun, _ error: String, needsAttention: Bool) async throws {
        let outbox = self.outbox
        try await self.database.transaction { transaction in
            let failed = try transaction.write(
                """
                UPDATE sync_runs SET state = 'failed', owner = NULL, error = \(error)::text, finished_at = now()
                WHERE organization_id = \(run.organizationID) AND id = \(run.id) AND fence = \(run.fence) AND state = 'running'
                """
            )
            guard failed == 1, needsAttention else { return }
            try ConnectionHealth.mark(run.integrationID, in: run.organizationID, because: error, outbox, transaction)
        }
    }

    /// The run's end and its event, in one transaction.
    /// - Returns: false where the fence is gone.
    func finish(_ run: SyncRun) async throws -> Bool {
        let outbox = self.outbox
        return try await self.database.transaction { transaction in
            let finished = try transaction.first(
                """
                UPDATE sync_runs AS run SET state = 'succeeded', owner = NULL, error = NULL, finished_at = now()
                WHERE organization_id = \(run.organizationID) AND id = \(run.id) AND fence = \(run.fence) AND state = 'running'
                RETURNING \(raw: SyncRun.columns)
                """,
                as: SyncRun.self
            )
            guard let finished else { return false }
            let provider = try transaction.first(
                """
                UPDATE integrations SET last_synced_at = now()
                WHERE organization_id = \(run.organizationID) AND id = \(run.integrationID)
                RETURNING provider
                """,
                as: String.self
            )
            try outbox.append(
                .syncCompleted,
                finished.eventData(provider: provider ?? ""),
                for: run.organizationID,
                in: transaction
            )
            return true
        }
    }
}

extension SyncRun {
    func eventData(provider: String) -> JSONValue {
        [
            "sync_run_id": .integer(self.id), "integration_id": .integer(self.integrationID.rawValue), "provider": .string(provider),
            "mode": .string(self.mode.rawValue), "records": .integer(Int64(self.counts.fetched)),
            "created": .integer(Int64(self.counts.created)), "updated": .integer(Int64(self.counts.updated)),
            "deleted": .integer(Int64(self.counts.deleted)), "unchanged": .integer(Int64(self.counts.unchanged)),
            "started_at": self.startedAt.map { .string(Timestamp.format($0)) } ?? .null,
            "finished_at": self.finishedAt.map { .string(Timestamp.format($0)) } ?? .null,
        ]
    }
}

extension Duration {
    /// Seconds with their fraction.
    var seconds: Double { Double(self.components.seconds) + Double(self.components.attoseconds) * 1e-18 }
}
