import Database
import Logging
import Models
import ServiceKit

/// Calls off what still waits for a subscription that has ended or was disabled: a few hundred rows at a time, however many there are.
struct SubscriptionSweeper: Sendable {
    static let batch = 500
    /// Long enough for the attempts that were under way at the end to be settled.
    static let poll = Duration.seconds(5)

    let database: Postgres
    let ended: WakeSignal
    let logger: Logger

    struct Ended: RowDecodable, Equatable {
        var organizationID: OrganizationID
        var id: SubscriptionID
        var reason: DeliveryFailure

        init(row: Row) throws {
            self.organizationID = try row.get("organization_id")
            self.id = try row.get("id")
            self.reason = try row.get("is_disabled") ? .disabled : .unsubscribed
        }
    }

    func loop() -> WorkLoop<Ended> {
        WorkLoop(
            "ended subscriptions",
            wake: self.ended,
            poll: Self.poll,
            concurrency: 1,
            logger: self.logger,
            claim: { limit in try await self.unswept(limit) },
            work: { ended in try await self.sweep(ended) }
        )
    }

    /// No lease: two replicas that sweep the same subscription do the same thing.
    func unswept(_ limit: Int) async throws -> [Ended] {
        try await self.database.read(
            """
            SELECT organization_id, id, ended_at IS NULL AS is_disabled
            FROM zapier_webhooks
            WHERE (ended_at IS NOT NULL OR disabled_at IS NOT NULL) AND swept_at IS NULL
            ORDER BY organization_id, id
            LIMIT \(limit)
            """
        )
    }

    func sweep(_ ended: Ended) async throws {
        var calledOff = 0
        repeat {
            calledOff = try await self.callOff(ended)
        } while calledOff == Self.batch
        // What is still being delivered may come back as pending; the claim calls that off one by one.
        try await self.database.write(
            """
            UPDATE zapier_webhooks SET swept_at = now()
            WHERE organization_id = \(ended.organizationID) AND id = \(ended.id) AND swept_at IS NULL
                AND (ended_at IS NOT NULL OR disabled_at IS NOT NULL)
            """
        )
    }

    /// - Returns: how many; none once a member has resumed the subscription, who cannot do so in between.
    private func callOff(_ ended: Ended) async throws -> Int {
        try await self.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            let isStill = try transaction.first(
                """
                SELECT true FROM zapier_webhooks
                WHERE organization_id = \(ended.organizationID) AND id = \(ended.id) AND (ended_at IS NOT NULL OR disabled_at IS NOT NULL)
                FOR SHARE
                """,
                as: Bool.self
            )
            guard isStill != nil else { return 0 }
            return try transaction.write(
                SettledRows.calledOff(
                    """
                    organization_id = \(ended.organizationID) AND state = 'pending' AND id IN (
                        SELECT id FROM deliveries
                        WHERE organization_id = \(ended.organizationID) AND subscription_id = \(ended.id) AND state = 'pending'
                        LIMIT \(Self.batch)
                        FOR UPDATE SKIP LOCKED
                    )
                    """,
                    because: ended.reason
                )
            )
        }
    }
}
