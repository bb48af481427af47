import Database
import Foundation
import Models

/// One pass over a provider's data for one integration.
struct SyncRun: Sendable, Equatable {
    enum State: String, Codable, Sendable, SQLEncodable, SQLDecodable {
        case queued, running
        /// Until the provider's limit or trouble is over.
        case waiting
        case succeeded, failed
        /// The integration was paused, deleted or given other credentials.
        case cancelled
    }

    enum Mode: String, Codable, Sendable, SQLEncodable, SQLDecodable { case full, incremental }

    enum Cause: String, Codable, Sendable, SQLEncodable, SQLDecodable { case connected, schedule, request }

    let id: Int64
    let organizationID: OrganizationID
    let integrationID: IntegrationID
    let mode: Mode
    let cause: Cause
    let state: State
    let fence: Int64
    let failures: Int
    let waitReason: String?
    let claimableAt: Date
    let counts: Counts
    let error: String?
    let createdAt: Date
    let startedAt: Date?
    let finishedAt: Date?

    struct Counts: Sendable, Equatable {
        var pages = 0
        var fetched = 0
        var created = 0
        var updated = 0
        var deleted = 0
        var unchanged: Int { max(0, self.fetched - self.created - self.updated - self.deleted) }
    }

    /// Over `sync_runs AS run`.
    static let columns: StaticString = """
        run.organization_id, run.id, run.integration_id, run.mode, run.cause, run.state, run.fence, run.failures, run.wait_reason,
        run.claimable_at, run.pages, run.fetched, run.created, run.updated, run.deleted, run.error, run.created_at, run.started_at,
        run.finished_at
        """
}

extension SyncRun: RowDecodable {
    init(row: Row) throws {
        self.id = try row.get("id")
        self.organizationID = try row.get("organization_id")
        self.integrationID = try row.get("integration_id")
        self.mode = try row.get("mode")
        self.cause = try row.get("cause")
        self.state = try row.get("state")
        self.fence = try row.get("fence")
        self.failures = try row.get("failures")
        self.waitReason = try row.get("wait_reason")
        self.claimableAt = try row.get("claimable_at")
        self.counts = Counts(
            pages: try row.get("pages"),
            fetched: try row.get("fetched"),
            created: try row.get("created"),
            updated: try row.get("updated"),
            deleted: try row.get("deleted")
        )
        self.error = try row.get("error")
        self.createdAt = try row.get("created_at")
        self.startedAt = try row.get("started_at")
        self.finishedAt = try row.get("finished_at")
    }
}

/// A run as the API shows it.
struct SyncRunView: Encodable, Sendable {
    let run: SyncRun

    private enum CodingKeys: String, CodingKey {
        case id, mode, cause, state, pages, fetched, created, updated, deleted, unchanged, error
        case integrationID = "integration_id"
        case waitReason = "wait_reason"
        case waitUntil = "wait_until"
        case createdAt = "created_at"
        case startedAt = "started_at"
        case finishedAt = "finished_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.run.id, forKey: .id)
        try container.encode(self.run.integrationID, forKey: .integrationID)
        try container.encode(self.run.mode, forKey: .mode)
        try container.encode(self.run.cause, forKey: .cause)
        try container.encode(self.run.state, forKey: .state)
        try container.encode(self.run.counts.pages, forKey: .pages)
        try container.encode(self.run.counts.fetched, forKey: .fetched)
        try container.encode(self.run.counts.created, forKey: .created)
        try container.encode(self.run.counts.updated, forKey: .updated)
        try container.encode(self.run.counts.deleted, forKey: .deleted)
        try container.encode(self.run.counts.unchanged, forKey: .unchanged)
        try container.encode(self.run.error, forKey: .error)
        let isWaiting = self.run.state == .waiting
        try container.encode(isWaiting ? self.run.waitReason : nil, forKey: .waitReason)
        try container.encode(isWaiting ? self.run.claimableAt : nil, forKey: .waitUntil)
        try container.encode(self.run.createdAt, forKey: .createdAt)
        try container.encode(self.run.startedAt, forKey: .startedAt)
        try container.encode(self.run.finishedAt, forKey: .finishedAt)
    }
}
