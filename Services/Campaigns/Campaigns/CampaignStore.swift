import Database
import Foundation
import Models

struct CampaignStore: Sendable {
    let database: Postgres

    func find(_ id: CampaignID, in organization: OrganizationID) async throws -> Campaign? {
        try await self.database.readFirst(
            "SELECT \(raw: Campaign.columns) FROM campaigns WHERE organization_id = \(organization) AND id = \(id)"
        )
    }

    /// Newest first, one more than the page holds, without bodies.
    func list(_ page: PageRequest, in organization: OrganizationID) async throws -> [Campaign] {
        var query: Query = "SELECT \(raw: Campaign.listColumns) FROM campaigns WHERE organization_id = \(organization)"
        if let before = page.before { query = query + " AND id < \(before)" }
        return try await self.database.read(query + " ORDER BY id DESC LIMIT \(page.limit + 1)")
    }

    func counts(of id: CampaignID, in organization: OrganizationID) async throws -> MessageCounts {
        MessageCounts(try await self.database.read(Self.countsQuery(id, organization)))
    }

    static func countsQuery(_ id: CampaignID, _ organization: OrganizationID) -> Query {
        """
        SELECT state, count(*) AS count FROM messages
        WHERE organization_id = \(organization) AND campaign_id = \(id) GROUP BY state
        """
    }

    // The rest runs inside a caller's transaction: it shares it with audit entry and idempotency row.

    func insert(_ content: CampaignContent, in organization: OrganizationID, _ transaction: Transaction) throws -> Campaign {
        let campaign: Campaign? = try transaction.first(
            """
            INSERT INTO campaigns (
                organization_id, name, channel, integration_id, from_email, from_name, reply_to, subject, html, text, audience,
                in_doubt_policy
            ) VALUES (
                \(organization), \(content.name), \(content.channel), \(content.integrationID), \(content.fromEmail), \(content.fromName),
                \(content.replyTo), \(content.subject), \(content.html), \(content.text), \(content.audience.json),
                \(content.inDoubtPolicy)
            ) RETURNING \(raw: Campaign.columns)
            """
        )
        return try Self.existing(campaign)
    }

    /// The campaign, locked until the transaction ends, when `action` is legal for it; otherwise a problem that names its state.
    func lock(_ id: CampaignID, for action: CampaignAction, in organization: OrganizationID, _ transaction: Transaction) throws -> Campaign
    {
        let campaign: Campaign = try Self.existing(
            transaction.first(
                "SELECT \(raw: Campaign.columns) FROM campaigns WHERE organization_id = \(organization) AND id = \(id) FOR UPDATE"
            )
        )
        guard campaign.status.after(action, isExpanded: campaign.isExpanded) != nil else { throw campaign.status.refusal(of: action) }
        return campaign
    }

    func update(_ id: CampaignID, to content: CampaignContent, in organization: OrganizationID, _ transaction: Transaction) throws
        -> Campaign
    {
        let campaign: Campaign? = try transaction.first(
            """
            UPDATE campaigns SET
                name = \(content.name), channel = \(content.channel), integration_id = \(content.integrationID),
                from_email = \(content.fromEmail), from_name = \(content.fromName), reply_to = \(content.replyTo),
                subject = \(content.subject), html = \(content.html), text = \(content.text), audience = \(content.audience.json),
                in_doubt_policy = \(content.inDoubtPolicy), updated_at = now()
            WHERE organization_id = \(organization) AND id = \(id) RETURNING \(raw: Campaign.columns)
            """
        )
        return try Self.existing(campaign)
    }

    func delete(_ id: CampaignID, in organization: OrganizationID, _ transaction: Transaction) throws {
        _ = try self.lock(id, for: .delete, in: organization, transaction)
        // Those of an expansion that was cancelled on its way; none was ever claimed.
        try transaction.write("DELETE FROM messages WHERE organization_id = \(organization) AND campaign_id = \(id)")
        try transaction.write("DELETE FROM campaigns WHERE organization_id = \(organization) AND id = \(id)")
    }

    /// Makes a legal move; `scheduledAt` belongs to ``CampaignAction/schedule``. Answers the campaign as it was and as it is.
    func move(
        _ id: CampaignID,
        _ action: CampaignAction,
        scheduledAt: Date? = nil,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws -> (before: Campaign, after: Campaign) {
        let campaign = try self.lock(id, for: action, in: organization, transaction)
        guard let status = campaign.status.after(action, isExpanded: campaign.isExpanded) else { throw campaign.status.refusal(of: action) }
        let moved: Campaign? = try transaction.first(
            """
            UPDATE campaigns SET
                status = \(status), status_reason = NULL, updated_at = now(), lease_until = NULL, refusals = 0, hold_until = NULL,
                scheduled_at = \(action == .schedule ? scheduledAt : action == .send ? nil : campaign.scheduledAt),
                finished_at = CASE WHEN \(status == .cancelled) THEN now() END
            WHERE organization_id = \(organization) AND id = \(id) RETURNING \(raw: Campaign.columns)
            """
        )
        return (campaign, try Self.existing(moved))
    }

    private static func existing(_ campaign: Campaign?) throws -> Campaign {
        guard let campaign else { throw Problem.notFound }
        return campaign
    }
}
