import Database
import Foundation
import Models

struct Campaign: Sendable {
    var id: CampaignID
    var content: CampaignContent
    var status: CampaignStatus
    /// Why the house, not a member, has changed the status.
    var statusReason: String?
    var isExpanded: Bool
    var scheduledAt: Date?
    var startedAt: Date?
    var finishedAt: Date?
    var createdAt: Date
    var updatedAt: Date
}

extension Campaign: RowDecodable {
    static let columns: StaticString = """
        id, name, channel, integration_id, from_email, from_name, reply_to, subject, html, text, in_doubt_policy, status, status_reason,
        (expanded_at IS NOT NULL) AS is_expanded, scheduled_at, started_at, finished_at, created_at, updated_at
        """

    /// Lists leave the bodies out: a page of them would be a hundred megabytes.
    static let listColumns: StaticString = """
        id, name, channel, integration_id, from_email, from_name, reply_to, subject, NULL AS html, NULL AS text, in_doubt_policy,
        status, status_reason, (expanded_at IS NOT NULL) AS is_expanded, scheduled_at, started_at, finished_at, created_at, updated_at
        """

    init(row: Row) throws {
        self.id = try row.get("id")
        self.content = CampaignContent(
            name: try row.get("name"),
            channel: try row.get("channel"),
            integrationID: try row.get("integration_id"),
            fromEmail: try row.get("from_email"),
            fromName: try row.get("from_name"),
            replyTo: try row.get("reply_to"),
            subject: try row.get("subject"),
            html: try row.get("html"),
            text: try row.get("text"),
            audience: .all,
            inDoubtPolicy: try row.get("in_doubt_policy")
        )
        self.status = try row.get("status")
        self.statusReason = try row.get("status_reason")
        self.isExpanded = try row.get("is_expanded")
        self.scheduledAt = try row.get("scheduled_at")
        self.startedAt = try row.get("started_at")
        self.finishedAt = try row.get("finished_at")
        self.createdAt = try row.get("created_at")
        self.updatedAt = try row.get("updated_at")
    }
}

/// Messages of a campaign by state, counted from the rows: they cannot drift.
struct MessageCounts: Encodable, Sendable, Equatable {
    var total = 0
    var pending = 0
    var claimed = 0
    var accepted = 0
    var failed = 0
    var inDoubt = 0
    var skipped = 0
    var cancelled = 0

    init(_ rows: [StateCount]) {
        for row in rows {
            self.total += row.count
            switch row.state {
            case .pending: self.pending = row.count
            case .claimed: self.claimed = row.count
            case .accepted: self.accepted = row.count
            case .failed: self.failed = row.count
            case .inDoubt: self.inDoubt = row.count
            case .skipped: self.skipped = row.count
            case .cancelled: self.cancelled = row.count
            }
        }
    }

    enum CodingKeys: String, CodingKey {
        case total, pending, claimed, accepted, failed, skipped, cancelled
        case inDoubt = "in_doubt"
    }
}

struct StateCount: RowDecodable {
    var state: MessageState
    var count: Int

    init(row: Row) throws {
        self.state = try row.get("state")
        self.count = try row.get("count")
    }
}
