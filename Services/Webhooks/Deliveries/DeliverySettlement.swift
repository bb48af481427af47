import Database
import Models

/// What is written when an attempt is over.
struct DeliverySettlement: Sendable {
    var delivery: ClaimedDelivery
    var result: AttemptResult
    var step: DeliveryStep

    /// Writes the delivery's new state and its attempt, both or neither; nothing where another worker has claimed the delivery since, or
    /// where this was written before. A lease that merely ran out is no obstacle, which saves the target a repeat.
    var query: Query {
        let delivery = self.delivery
        let milliseconds = self.result.duration / .milliseconds(1)
        return """
            WITH settled AS (
                UPDATE deliveries
                SET \(self.assignments), lease_until = NULL, last_status = \(self.result.status),
                    last_error = \(self.result.failure?.rawValue)
                WHERE organization_id = \(delivery.organizationID) AND id = \(delivery.id) AND fence = \(delivery.fence)
                    AND (state = 'delivering' OR state = 'pending' AND last_error = \(DeliveryFailure.interrupted.rawValue))
                RETURNING organization_id, id
            )
            INSERT INTO attempts (organization_id, delivery_id, number, started_at, duration_ms, status, error, excerpt)
            SELECT organization_id, id, \(delivery.attempt)::integer, clock_timestamp() - make_interval(secs => \(milliseconds / 1000)),
                \(Int64(milliseconds.rounded()))::integer, \(self.result.status)::integer, \(self.result.failure?.rawValue)::text,
                \(self.result.excerpt)::text
            FROM settled
            ON CONFLICT (organization_id, delivery_id, number) DO UPDATE
            SET started_at = excluded.started_at, duration_ms = excluded.duration_ms, status = excluded.status, error = excluded.error,
                excerpt = excluded.excerpt
            """
    }

    private var assignments: Query {
        switch self.step {
        case .succeeded: "state = 'succeeded', settled_at = now()"
        case .retry(let wait, let counts):
            """
            state = 'pending', failures = failures + \(counts ? 1 : 0)::integer,
            next_attempt_at = now() + make_interval(secs => \(wait))
            """
        case .dead, .gone: "state = 'dead', settled_at = now(), failures = failures + 1"
        }
    }
}

extension DeliveryQueue {
    /// - Returns: false where nothing was written: the delivery is another worker's by now.
    func settle(_ settlement: DeliverySettlement) async throws -> Bool {
        guard settlement.step == .gone else { return try await self.database.write(settlement.query) > 0 }
        let delivery = settlement.delivery
        return try await self.database.transaction { transaction in
            let didEnd = try SubscriptionStore.end(delivery.subscriptionID, in: delivery.organizationID, because: .gone, transaction)
            if didEnd { try self.tellOfEnd(delivery, transaction) }
            return try transaction.write(settlement.query) > 0
        }
    }
}
