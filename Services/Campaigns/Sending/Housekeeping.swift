import Database
import Logging
import Models
import ServiceKit
import ServiceLifecycle

/// Brings on what no worker has in hand: ended leases, messages in doubt that the policy sends again, cancelled campaigns, and campaigns
/// that were done when their last worker died. Every step is one guarded statement, so that replicas may do it side by side.
struct Housekeeping: Service {
    let store: HousekeepingStore
    let completion: Completion
    let dispatch: WakeSignal
    let resendAfter: Duration
    let interval: Duration
    let logger: Logger

    func run() async throws {
        while !Task.isShuttingDownGracefully, !Task.isCancelled {
            do {
                try await self.pass()
            } catch is CancellationError {
                return
            } catch {
                self.logger.warning("Housekeeping failed", metadata: ["error": "\(error)"])
            }
            // Ended early by a shutdown.
            try? await cancelWhenGracefulShutdown { try await Task.sleep(for: self.interval) }
        }
    }

    func pass() async throws {
        let ended = try await self.store.endLeases()
        let resent = try await self.store.resendDoubts(olderThan: self.resendAfter)
        if ended + resent > 0 { self.dispatch.wake() }
        try await self.store.sweepCancelled()
        for campaign in try await self.completion.completable(100) { _ = try await self.completion.complete(campaign) }
    }
}

struct HousekeepingStore: Sendable {
    let database: Postgres
    var chunk = 5000

    /// Claims whose worker did not come back are pending again; integrations know whether they were sent.
    func endLeases() async throws -> Int {
        try await self.database.writeByKeys(
            """
            UPDATE messages SET state = 'pending', lease_until = NULL, unanswered = true, not_before = now(), updated_at = now()
            FROM (
                SELECT ctid AS place FROM messages
                WHERE state = 'claimed' AND lease_until < now() LIMIT \(self.chunk) FOR UPDATE SKIP LOCKED
            ) AS ended
            WHERE messages.ctid = ended.place
            """
        )
    }

    /// The policy "resend": a new attempt group, and with it a new key.
    func resendDoubts(olderThan age: Duration) async throws -> Int {
        try await self.database.writeByKeys(
            """
            UPDATE messages SET
                state = 'pending', attempt_group = attempt_group + 1, not_before = now(), attempts = 0, next_check_at = NULL, updated_at = now(),
                send_key = send_key(doubtful.send_salt, messages.organization_id, messages.campaign_id, messages.contact_id, attempt_group + 1)
            FROM (
                SELECT messages.ctid AS place, campaigns.send_salt
                FROM campaigns JOIN messages ON messages.organization_id = campaigns.organization_id AND messages.campaign_id = campaigns.id
                WHERE campaigns.status = 'sending' AND campaigns.in_doubt_policy = 'resend' AND messages.state = 'in_doubt'
                    AND messages.attempt_group < \(Completion.attemptGroupLimit)
                    AND messages.in_doubt_at < now() - make_interval(secs => \(age.inSeconds))
                LIMIT \(self.chunk) FOR UPDATE OF messages SKIP LOCKED
            ) AS doubtful
            WHERE messages.ctid = doubtful.place
            """
        )
    }

    /// What is pending in a cancelled campaign is cancelled; where a claim ended without an answer it is in doubt, because it may have been sent.
    func sweepCancelled() async throws {
        try await self.database.writeByKeys(
            """
            UPDATE messages SET
                state = CASE WHEN unanswered THEN 'in_doubt' ELSE 'cancelled' END,
                reason = CASE WHEN unanswered THEN 'cancelled_in_hand' END,
                in_doubt_at = CASE WHEN unanswered THEN now() END, updated_at = now()
            FROM (
                SELECT messages.ctid AS place
                FROM campaigns JOIN messages ON messages.organization_id = campaigns.organization_id AND messages.campaign_id = campaigns.id
                WHERE campaigns.status = 'cancelled' AND campaigns.swept_at IS NULL AND messages.state = 'pending'
                LIMIT \(self.chunk) FOR UPDATE OF messages SKIP LOCKED
            ) AS given_up
            WHERE messages.ctid = given_up.place
            """
        )
        try await self.database.writeByKeys(
            """
            UPDATE campaigns SET swept_at = now()
            WHERE status = 'cancelled' AND swept_at IS NULL AND NOT EXISTS (
                SELECT FROM messages
                WHERE messages.organization_id = campaigns.organization_id AND messages.campaign_id = campaigns.id
                    AND messages.state IN ('pending', 'claimed')
            )
            """
        )
    }
}
