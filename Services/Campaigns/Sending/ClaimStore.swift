import Database
import Foundation
import Models

/// Takes batches: of pending messages to send, and of messages in doubt to ask about.
struct ClaimStore: Sendable {
    let database: Postgres
    let sizer: BatchSizer
    let lease: Duration

    /// A batch of the campaign that has waited longest, of the organization that has waited longest; nil when nothing is due.
    func claim() async throws -> ClaimedBatch? {
        let now = ContinuousClock.now
        return try await self.database.transaction { transaction in
            try transaction.planByKeys()
            guard let turn: Turn = try transaction.first(Self.nextTurn) else { return nil }
            try transaction.planInIndexOrder()
            let messages: [ClaimedMessage] = try transaction.rows(
                self.claimDue(turn.campaign, limit: self.sizer.limit(for: turn.letter))
            )
            guard !messages.isEmpty else { return nil }
            return ClaimedBatch(campaign: turn.campaign, letter: turn.letter, messages: messages, state: .claimed, claimedAt: now)
        }
    }

    /// The status is tested again under the row's lock: a pause that has committed is never followed by a claim.
    static var nextTurn: Query {
        """
        UPDATE campaigns SET turn_at = clock_timestamp()
        WHERE status = 'sending' AND (organization_id, id) = (
            SELECT organization_id, id FROM (
                SELECT organization_id, id, hold_until, turn_at, max(turn_at) OVER (PARTITION BY organization_id) AS organization_turn_at
                FROM campaigns WHERE status = 'sending'
            ) AS sending
            WHERE (hold_until IS NULL OR hold_until <= now()) AND (
                SELECT not_before FROM messages
                WHERE messages.organization_id = sending.organization_id AND messages.campaign_id = sending.id
                    AND messages.state = 'pending'
                ORDER BY not_before LIMIT 1
            ) <= now()
            ORDER BY organization_turn_at, turn_at LIMIT 1
        )
        RETURNING \(raw: Turn.columns)
        """
    }

    func claimDue(_ campaign: CampaignKey, limit: Int) -> Query {
        """
        WITH due AS (
            SELECT ctid AS place FROM messages
            WHERE organization_id = \(campaign.organization) AND campaign_id = \(campaign.id) AND state = 'pending' AND not_before <= now()
            ORDER BY not_before, contact_id LIMIT \(limit) FOR UPDATE SKIP LOCKED
        ), taken AS (
            UPDATE messages SET
                state = 'claimed', fence = fence + 1, updated_at = now(),
                lease_until = now() + make_interval(secs => \(self.lease.inSeconds))
            FROM due
            WHERE messages.ctid = due.place
            RETURNING messages.organization_id, messages.contact_id, fence, send_key, address, attempts, checks
        )
        \(Self.withContacts)
        """
    }

    /// Messages in doubt whose next question is due, of one campaign. The fence is raised, the state stays.
    func claimDoubts(limit: Int) async throws -> ClaimedBatch? {
        let now = ContinuousClock.now
        return try await self.database.transaction { transaction in
            try transaction.planByKeys()
            guard let turn: Turn = try transaction.first(Self.nextDoubt) else { return nil }
            let messages: [ClaimedMessage] = try transaction.rows(self.claimDoubts(turn.campaign, limit: limit))
            guard !messages.isEmpty else { return nil }
            return ClaimedBatch(campaign: turn.campaign, letter: turn.letter, messages: messages, state: .inDoubt, claimedAt: now)
        }
    }

    /// Not of paused or cancelled campaigns: an answer of "not sent" would there be followed by sending.
    private static var nextDoubt: Query {
        """
        SELECT \(raw: Turn.columns) FROM campaigns
        WHERE (organization_id, id) = (
            SELECT messages.organization_id, messages.campaign_id
            FROM messages JOIN campaigns ON campaigns.organization_id = messages.organization_id AND campaigns.id = messages.campaign_id
            WHERE messages.state = 'in_doubt' AND messages.next_check_at <= now() AND campaigns.status IN ('sending', 'sent')
            ORDER BY messages.next_check_at LIMIT 1
        )
        """
    }

    private func claimDoubts(_ campaign: CampaignKey, limit: Int) -> Query {
        """
        WITH due AS (
            SELECT ctid AS place FROM messages
            WHERE organization_id = \(campaign.organization) AND campaign_id = \(campaign.id)
                AND state = 'in_doubt' AND next_check_at <= now()
            ORDER BY next_check_at LIMIT \(limit) FOR UPDATE SKIP LOCKED
        ), taken AS (
            UPDATE messages SET
                fence = fence + 1, checks = checks + 1, updated_at = now(),
                next_check_at = CASE WHEN checks + 1 < \(DoubtSchedule.checkLimit) THEN now() + make_interval(
                    secs => \(DoubtSchedule.firstCheck.inSeconds)::double precision * power(2, checks + 1)
                ) END
            FROM due
            WHERE messages.ctid = due.place
            RETURNING messages.organization_id, messages.contact_id, fence, send_key, address, attempts, checks
        )
        \(Self.withContacts)
        """
    }

    /// The organization comes from the join, not from a constant: of a constant that is new to them the statistics would expect no rows, and all
    /// contacts of the organization would be read for each message.
    private static var withContacts: Query {
        """
        SELECT taken.contact_id, taken.fence, taken.send_key, taken.address, taken.attempts, taken.checks,
            contacts.first_name, contacts.last_name, contacts.company, contacts.job_title, coalesce(contacts.is_deleted, true) AS is_deleted
        FROM taken LEFT JOIN contacts ON contacts.organization_id = taken.organization_id AND contacts.id = taken.contact_id
        """
    }
}

/// When integrations are asked again about a message in doubt: 15 s after it became so, then after twice as long each time, for about an hour.
enum DoubtSchedule {
    static let firstCheck: Duration = .seconds(15)
    static let checkLimit = 8
}
