import Database
import Foundation
import Models
import ServiceKit

struct ExpansionStore: Sendable {
    enum Step: Sendable, Equatable {
        case more, finished
        /// Paused, cancelled, or taken over by another worker.
        case lost
    }

    let database: Postgres
    let outbox: Outbox
    let dispatchChannel: String
    var chunk = 5000
    var lease: Duration = .seconds(60)

    /// Campaigns that are due or being prepared by nobody; due ones become `preparing` here.
    func claim(_ limit: Int) async throws -> [Preparation] {
        try await self.database.write(
            """
            UPDATE campaigns SET
                status = 'preparing', fence = fence + 1, lease_until = now() + make_interval(secs => \(self.lease.inSeconds)), updated_at = now()
            WHERE (organization_id, id) IN (
                SELECT organization_id, id FROM campaigns
                WHERE (status = 'scheduled' AND scheduled_at <= now())
                    OR (status = 'preparing' AND (lease_until IS NULL OR lease_until < now()))
                ORDER BY updated_at LIMIT \(limit) FOR UPDATE SKIP LOCKED
            )
            RETURNING organization_id, id, fence
            """,
            as: Preparation.self
        )
    }

    /// Ends the lease early, so that nobody has to wait for it.
    func release(_ preparation: Preparation) async throws {
        let campaign = preparation.campaign
        try await self.database.write(
            """
            UPDATE campaigns SET lease_until = NULL
            WHERE organization_id = \(campaign.organization) AND id = \(campaign.id) AND status = 'preparing' AND fence = \(preparation.fence)
            """
        )
    }

    /// Inserts the messages of the next contacts and moves the cursor in the same transaction; the last chunk makes the campaign `sending`.
    func expandChunk(_ preparation: Preparation) async throws -> Step {
        let campaign = preparation.campaign
        return try await self.database.transaction { transaction in
            let cursor: Int64? = try transaction.first(
                """
                SELECT expansion_cursor FROM campaigns
                WHERE organization_id = \(campaign.organization) AND id = \(campaign.id)
                    AND status = 'preparing' AND fence = \(preparation.fence)
                FOR UPDATE
                """
            )
            guard let cursor else { return .lost }
            try transaction.planByKeys()
            let passed: Passed = try transaction.first(self.insert(campaign, after: cursor)) ?? Passed(count: 0, last: nil)
            if passed.count < self.chunk {
                try self.start(campaign, transaction)
                return .finished
            }
            try transaction.write(
                """
                UPDATE campaigns SET
                    expansion_cursor = \(passed.last ?? cursor), lease_until = now() + make_interval(secs => \(self.lease.inSeconds))
                WHERE organization_id = \(campaign.organization) AND id = \(campaign.id)
                """
            )
            return .more
        }
    }

    private struct Passed: RowDecodable {
        var count: Int
        var last: Int64?

        init(count: Int, last: Int64?) {
            self.count = count
            self.last = last
        }

        init(row: Row) throws {
            self.init(count: try row.get("passed"), last: try row.get("last"))
        }
    }

    /// One statement for a chunk of contacts. Whoever shares a mailbox with an earlier contact (of this chunk, or by the unique mailbox of an
    /// earlier one), or has none, is skipped visibly.
    private func insert(_ campaign: CampaignKey, after cursor: Int64) -> Query {
        """
        WITH chunk AS MATERIALIZED (
            SELECT id, email, email_key FROM contacts
            WHERE organization_id = \(campaign.organization) AND id > \(cursor) AND NOT is_deleted
            ORDER BY id LIMIT \(self.chunk)
        ), judged AS (
            SELECT chunk.id, chunk.email, chunk.email_key, campaigns.send_salt, CASE
                WHEN email IS NULL THEN 'no_address'
                WHEN email_key IS NULL THEN 'invalid_address'
                WHEN row_number() OVER (PARTITION BY email_key ORDER BY chunk.id) > 1 THEN 'duplicate_address'
            END AS skip_reason
            FROM chunk CROSS JOIN campaigns
            WHERE campaigns.organization_id = \(campaign.organization) AND campaigns.id = \(campaign.id)
        ), pending AS (
            INSERT INTO messages (organization_id, campaign_id, contact_id, channel, address, address_key, send_key, state)
            SELECT \(campaign.organization), \(campaign.id), id, 'email', email, email_key,
                send_key(send_salt, \(campaign.organization), \(campaign.id), id, 1), 'pending'
            FROM judged WHERE skip_reason IS NULL ORDER BY id
            ON CONFLICT DO NOTHING RETURNING contact_id
        ), skipped AS (
            INSERT INTO messages (organization_id, campaign_id, contact_id, channel, address, send_key, state, reason)
            SELECT \(campaign.organization), \(campaign.id), id, 'email', email,
                send_key(send_salt, \(campaign.organization), \(campaign.id), id, 1), 'skipped', coalesce(skip_reason, 'duplicate_address')
            FROM judged WHERE id NOT IN (SELECT contact_id FROM pending)
            ON CONFLICT DO NOTHING
        )
        SELECT count(*) AS passed, max(id) AS last FROM chunk
        """
    }

    private func start(_ campaign: CampaignKey, _ transaction: Transaction) throws {
        let name: String? = try transaction.first(
            """
            UPDATE campaigns SET
                status = 'sending', expanded_at = now(), started_at = now(), turn_at = now(), lease_until = NULL, updated_at = now()
            WHERE organization_id = \(campaign.organization) AND id = \(campaign.id) RETURNING name
            """
        )
        let counts = MessageCounts(try transaction.rows(CampaignStore.countsQuery(campaign.id, campaign.organization)))
        try self.outbox.append(
            .campaignStarted,
            CampaignEvent.started(campaign.id, name: name ?? "", counts: counts),
            for: campaign.organization,
            in: transaction
        )
        try transaction.notify(self.dispatchChannel)
    }
}
