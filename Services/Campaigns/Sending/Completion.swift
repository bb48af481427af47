import Database
import Models
import ServiceKit

/// Ends campaigns that have nothing left to send, once each, with their event in the same transaction.
struct Completion: Sendable {
    let database: Postgres
    let outbox: Outbox
    /// Attempt groups of one message under the policy "resend".
    static let attemptGroupLimit = 3

    /// True when this call was the one that ended it.
    func complete(_ campaign: CampaignKey) async throws -> Bool {
        try await self.database.transaction { transaction in
            try transaction.planByKeys()
            let name: String? = try transaction.first(
                """
                UPDATE campaigns SET status = 'sent', finished_at = now(), updated_at = now()
                WHERE organization_id = \(campaign.organization) AND id = \(campaign.id) AND status = 'sending'
                    AND \(Self.nothingOpen)
                RETURNING name
                """
            )
            guard let name else { return false }
            let counts = MessageCounts(try transaction.rows(CampaignStore.countsQuery(campaign.id, campaign.organization)))
            try self.outbox.append(
                .campaignSent,
                CampaignEvent.sent(campaign.id, name: name, counts: counts),
                for: campaign.organization,
                in: transaction
            )
            try self.notify(campaign, name: name, counts, transaction)
            return true
        }
    }

    /// An end that somebody should look at.
    private func notify(_ campaign: CampaignKey, name: String, _ counts: MessageCounts, _ transaction: Transaction) throws {
        guard let trouble = CampaignTrouble(name: name, counts) else { return }
        try self.outbox.notify(
            trouble.kind,
            about: NoticeSubject("campaign", campaign.id, name),
            title: trouble.title,
            detail: trouble.detail,
            key: "campaign:\(campaign.id)",
            for: campaign.organization,
            in: transaction
        )
    }

    /// Campaigns whose last worker died between the last outcome and the end.
    func completable(_ limit: Int) async throws -> [CampaignKey] {
        try await self.database.transaction { transaction in
            try transaction.planByKeys()
            return try transaction.rows(
                "SELECT organization_id, id FROM campaigns WHERE status = 'sending' AND \(Self.nothingOpen) LIMIT \(limit)"
            )
        }
    }

    /// A message in doubt keeps a campaign open only where the policy will send it again.
    static var nothingOpen: Query {
        """
        (
            SELECT not_before FROM messages
            WHERE messages.organization_id = campaigns.organization_id AND messages.campaign_id = campaigns.id AND messages.state = 'pending'
            ORDER BY not_before LIMIT 1
        ) IS NULL AND (
            SELECT lease_until FROM messages
            WHERE messages.organization_id = campaigns.organization_id AND messages.campaign_id = campaigns.id AND messages.state = 'claimed'
            ORDER BY lease_until LIMIT 1
        ) IS NULL AND (campaigns.in_doubt_policy = 'hold' OR NOT EXISTS (
            SELECT FROM messages
            WHERE messages.organization_id = campaigns.organization_id AND messages.campaign_id = campaigns.id
                AND messages.state = 'in_doubt' AND messages.attempt_group < \(attemptGroupLimit)
        ))
        """
    }
}

extension CampaignKey: RowDecodable {
    init(row: Row) throws {
        self.init(organization: try row.get("organization_id"), id: try row.get("id"))
    }
}
