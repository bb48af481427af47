import Database
import Foundation
import Models

/// Counts an organization's messages from their rows: what is told cannot drift from what happened.
struct AnalyticsStore: Sendable {
    let database: Postgres

    /// Messages by the day (UTC) on which they were settled; those in doubt by the day on which they came to be. Oldest first.
    ///
    /// Only campaigns that can have had messages settled then are read: what a finished campaign has in doubt or in hand is asked about for about
    /// an hour (``DoubtSchedule``), so a day after its end nothing moves any more.
    func days(_ query: AnalyticsQuery, in organization: OrganizationID) async throws -> [MessageDay] {
        try await self.database.read(
            """
            SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD') AS day, count(*) FILTER (WHERE state = 'accepted') AS accepted,
                count(*) FILTER (WHERE state = 'failed') AS failed, count(*) FILTER (WHERE state = 'in_doubt') AS in_doubt
            FROM (
                SELECT message.state, CASE message.state WHEN 'in_doubt' THEN message.in_doubt_at ELSE message.updated_at END AS moment
                FROM campaigns AS campaign
                JOIN messages AS message ON message.organization_id = campaign.organization_id AND message.campaign_id = campaign.id
                WHERE campaign.organization_id = \(organization) AND message.organization_id = \(organization)
                    AND campaign.started_at < \(query.to) AND message.state IN ('accepted', 'failed', 'in_doubt')
                    AND (campaign.finished_at IS NULL OR campaign.finished_at >= \(query.from)::timestamptz - interval '1 day')
            ) AS settled
            WHERE moment >= \(query.from) AND moment < \(query.to)
            GROUP BY 1
            ORDER BY 1
            """
        )
    }

    /// Campaigns that were on their way on these days, newest first, with the counts of their messages; one more than the page holds.
    func campaigns(_ query: AnalyticsQuery, in organization: OrganizationID) async throws -> [CampaignFigures] {
        let rows: [Head] = try await self.database.read(
            """
            SELECT id, name, channel, status, started_at, finished_at FROM campaigns
            WHERE organization_id = \(organization) AND id < \(query.page.before ?? .max)
                AND started_at < \(query.to) AND (finished_at IS NULL OR finished_at >= \(query.from))
            ORDER BY id DESC LIMIT \(query.page.limit + 1)
            """
        )
        let counts: [CampaignStateCount] = try await self.database.read(
            """
            SELECT campaign_id, state, count(*) AS count FROM messages
            WHERE organization_id = \(organization) AND campaign_id = ANY(\(rows.map(\.id))::bigint[])
            GROUP BY campaign_id, state
            """
        )
        let byCampaign = Dictionary(grouping: counts, by: \.campaign).mapValues { MessageCounts($0.map(\.count)) }
        return rows.map { row in
            CampaignFigures(
                id: row.id,
                name: row.name,
                channel: row.channel,
                status: row.status,
                startedAt: row.startedAt,
                finishedAt: row.finishedAt,
                counts: byCampaign[row.id] ?? MessageCounts([])
            )
        }
    }

    func summary(of organization: OrganizationID, now: Date) async throws -> CampaignsSummary {
        async let statuses: [StatusCount] = self.database.read(
            "SELECT status, count(*) AS count FROM campaigns WHERE organization_id = \(organization) GROUP BY status"
        )
        async let contacts = self.database.readFirst(
            "SELECT count(*) FROM contacts WHERE organization_id = \(organization) AND NOT is_deleted",
            as: Int.self
        )
        async let days = self.days(.overview(now: now), in: organization)
        var byStatus = Dictionary(CampaignStatus.allCases.map { ($0.rawValue, 0) }, uniquingKeysWith: { $1 })
        for row in try await statuses { byStatus[row.status.rawValue] = row.count }
        return try await CampaignsSummary(
            total: byStatus.values.reduce(0, +),
            byStatus: byStatus,
            contacts: contacts ?? 0,
            messages: MessageSums(days),
            days: days
        )
    }
}

private struct Head: RowDecodable {
    var id: CampaignID
    var name: String
    var channel: Channel
    var status: CampaignStatus
    var startedAt: Date
    var finishedAt: Date?

    init(row: Row) throws {
        self.id = try row.get("id")
        self.name = try row.get("name")
        self.channel = try row.get("channel")
        self.status = try row.get("status")
        self.startedAt = try row.get("started_at")
        self.finishedAt = try row.get("finished_at")
    }
}

private struct CampaignStateCount: RowDecodable {
    var campaign: CampaignID
    var count: StateCount

    init(row: Row) throws {
        self.campaign = try row.get("campaign_id")
        self.count = try StateCount(row: row)
    }
}

private struct StatusCount: RowDecodable {
    var status: CampaignStatus
    var count: Int

    init(row: Row) throws {
        self.status = try row.get("status")
        self.count = try row.get("count")
    }
}

extension MessageDay: RowDecodable {
    init(row: Row) throws {
        self.init(
            day: try row.get("day"),
            accepted: try row.get("accepted"),
            failed: try row.get("failed"),
            inDoubt: try row.get("in_doubt")
        )
    }
}
