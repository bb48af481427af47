import Database
import Models

/// Writes what became of claimed messages: in bulk, and only where the fence still is the claim's.
struct SettlementStore: Sendable {
    let database: Postgres

    /// Answers how many rows were still in the hands of the claim; the others' truth is told to whoever claimed them since.
    func apply(_ settlements: [Settlement], to campaign: CampaignKey, from state: MessageState) async throws -> Int {
        guard !settlements.isEmpty else { return 0 }
        return try await self.database.writeByKeys(Self.update(settlements, of: campaign, from: state))
    }

    /// The send key is the one way to the rows: `+ 0` keeps the indexes that begin with the organization out, and `nothing` those of a state.
    static func update(_ settlements: [Settlement], of campaign: CampaignKey, from state: MessageState) -> Query {
        """
        UPDATE messages SET
            state = settled.state, reason = settled.reason, detail = settled.detail,
            provider_message_id = coalesce(settled.provider_message_id, messages.provider_message_id),
            attempts = attempts + CASE WHEN settled.is_try THEN 1 ELSE 0 END,
            not_before = CASE WHEN settled.state = 'pending' THEN now() + make_interval(secs => settled.delay) ELSE not_before END,
            in_doubt_at = CASE WHEN settled.state = 'in_doubt' THEN now() ELSE in_doubt_at END,
            checks = CASE WHEN settled.state = 'in_doubt' THEN 0 ELSE checks END,
            next_check_at = CASE
                WHEN settled.state = 'in_doubt' THEN now() + make_interval(secs => \(DoubtSchedule.firstCheck.inSeconds))
            END,
            lease_until = NULL, unanswered = false, updated_at = now()
        FROM (
            SELECT \(campaign.organization)::bigint AS organization_id, '' AS nothing, told.* FROM unnest(
                \(settlements.map(\.sendKey))::text[], \(settlements.map(\.fence))::bigint[],
                \(settlements.map(\.state.rawValue))::text[], \(settlements.map(\.reason))::text[],
                \(settlements.map(\.detail))::text[], \(settlements.map(\.providerMessageID))::text[],
                \(settlements.map(\.delay))::double precision[], \(settlements.map(\.isTry))::boolean[]
            ) AS told (send_key, fence, state, reason, detail, provider_message_id, delay, is_try)
            OFFSET 0
        ) AS settled
        WHERE messages.organization_id + 0 = settled.organization_id AND messages.send_key = settled.send_key
            AND messages.fence = settled.fence AND messages.state || settled.nothing = \(state)
        """
    }

    /// Hands back what of a claim is not settled.
    /// - asked: whether integrations may have seen it, so that it must not be taken for unsent.
    func release(_ batch: ClaimedBatch, after delay: Double, asked: Bool) async throws {
        guard batch.state == .claimed else { return }
        try await self.database.writeByKeys(
            """
            UPDATE messages SET
                state = 'pending', lease_until = NULL, unanswered = unanswered OR \(asked),
                not_before = now() + make_interval(secs => \(delay)), updated_at = now()
            FROM (
                SELECT \(batch.campaign.organization)::bigint AS organization_id, '' AS nothing, claimed.*
                FROM unnest(\(batch.messages.map(\.sendKey))::text[], \(batch.messages.map(\.fence))::bigint[]) AS claimed (send_key, fence)
                OFFSET 0
            ) AS released
            WHERE messages.organization_id + 0 = released.organization_id AND messages.send_key = released.send_key
                AND messages.fence = released.fence AND messages.state || released.nothing = 'claimed'
            """
        )
    }

    /// No batch of the campaign is claimed for so many seconds.
    func hold(_ campaign: CampaignKey, for seconds: Double) async throws {
        try await self.database.write(
            """
            UPDATE campaigns SET hold_until = greatest(hold_until, now() + make_interval(secs => \(seconds)))
            WHERE organization_id = \(campaign.organization) AND id = \(campaign.id) AND status = 'sending'
            """
        )
    }

    /// Counts a refusal, once for all batches that are refused during one hold; at the limit the campaign is paused with the reason.
    func refuse(_ campaign: CampaignKey, reason: String, limit: Int) async throws {
        try await self.database.write(
            """
            UPDATE campaigns SET
                refusals = refusals + 1,
                hold_until = now() + make_interval(secs => least(power(2, refusals + 1), 300)),
                status = CASE WHEN refusals + 1 >= \(limit) THEN 'paused' ELSE status END,
                status_reason = CASE WHEN refusals + 1 >= \(limit) THEN \(reason)::text ELSE status_reason END,
                updated_at = now()
            WHERE organization_id = \(campaign.organization) AND id = \(campaign.id) AND status = 'sending'
                AND (hold_until IS NULL OR hold_until <= now())
            """
        )
    }

    /// A batch went through: the refusals before it count no more.
    func forgive(_ campaign: CampaignKey) async throws {
        try await self.database.write(
            """
            UPDATE campaigns SET refusals = 0, hold_until = NULL
            WHERE organization_id = \(campaign.organization) AND id = \(campaign.id) AND refusals > 0 AND status = 'sending'
            """
        )
    }
}
