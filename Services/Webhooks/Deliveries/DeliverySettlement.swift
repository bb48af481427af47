import Database
import Models

/// What is written when an attempt is over.
struct DeliverySettlement: Sendable {
    var delivery: ClaimedDelivery
    var result: AttemptResult
    var step: DeliveryStep

    /// nil where nothing has to be noted of the target: it is as sound as it was, or was not asked.
    var sign: EndpointHealth.Sign? {
        guard self.step != .gone, let sign = EndpointHealth.Sign(self.result) else { return nil }
        // A test may be made long before there is anything to deliver.
        if self.delivery.cause == .test, sign != .success { return nil }
        return sign == .success && self.delivery.target.isSound ? nil : sign
    }

    /// Where the next of an ordering key is looked for, or an event may have to be written, the organization's event head is locked.
    var concernsHead: Bool {
        self.delivery.orderingKey != nil || self.step == .gone || self.sign.map { $0 != .success } ?? false
    }

    fileprivate var outcome: String {
        switch self.step {
        case .succeeded: "succeeded"
        case .retry: "pending"
        case .dead, .gone: "dead"
        }
    }

    fileprivate var wait: Double {
        if case .retry(let wait, _) = self.step { wait } else { 0 }
    }

    fileprivate var counts: Bool {
        if case .retry(_, let counts) = self.step { counts } else { false }
    }
}

extension [DeliverySettlement] {
    /// Writes each delivery's new state with its attempt; nothing where another worker has claimed the delivery since, or where this was
    /// written before. A lease that merely ran out is no obstacle, which saves the target a repeat. What is done moves from the queue into
    /// the log. Answers the ids of those that were written.
    ///
    /// Rows are found one by one through the primary key and then changed by their place, as in ``ClaimSQL/take(_:lease:)``.
    var statement: Query {
        """
        WITH given AS MATERIALIZED (
            SELECT given.*, place.ctid AS place FROM unnest(
                \(self.map(\.delivery.organizationID))::bigint[], \(self.map(\.delivery.id))::bigint[], \(self.map(\.delivery.fence))::bigint[],
                \(self.map(\.outcome))::text[], \(self.map(\.wait))::double precision[], \(self.map(\.counts))::boolean[],
                \(self.map(\.result.status))::integer[], \(self.map(\.result.failure?.rawValue))::text[],
                \(self.map(\.result.milliseconds))::integer[],
                \(self.map { AttemptHistory.entry($0.result, number: $0.delivery.attempt) })::jsonb[]
            ) AS given (organization_id, id, fence, outcome, wait, counts, status, error, duration_ms, entry)
            CROSS JOIN LATERAL (
                SELECT ctid FROM deliveries AS delivery
                WHERE delivery.organization_id = given.organization_id AND delivery.id BETWEEN given.id AND given.id
                    AND delivery.fence = given.fence
                    AND (delivery.state = 'delivering' OR delivery.last_error = \(DeliveryFailure.interrupted.rawValue))
                ORDER BY delivery.id LIMIT 1
            ) AS place
        ),
        done AS (
            DELETE FROM deliveries AS delivery
            USING given
            WHERE given.outcome <> 'pending' AND delivery.ctid = given.place
            RETURNING delivery.organization_id, delivery.id, delivery.event_id, delivery.event_type, delivery.subscription_id, delivery.cause,
                delivery.replay_id, given.outcome, delivery.attempts, given.status, given.error, given.duration_ms,
                \(AttemptHistory.appending) AS history, delivery.created_at
        ),
        logged AS (
            INSERT INTO settled_deliveries (organization_id, id, event_id, event_type, subscription_id, cause, replay_id, state, attempts,
                last_status, last_error, last_duration_ms, history, created_at, settled_at)
            SELECT *, now() FROM done
            RETURNING id
        ),
        kept AS (
            UPDATE deliveries AS delivery
            SET state = 'pending', failures = failures + given.counts::integer, next_attempt_at = now() + make_interval(secs => given.wait),
                lease_until = NULL, last_status = given.status, last_error = given.error, last_duration_ms = given.duration_ms,
                history = \(AttemptHistory.appending)
            FROM given
            WHERE given.outcome = 'pending' AND delivery.ctid = given.place
            RETURNING delivery.id
        )
        SELECT id FROM logged UNION ALL SELECT id FROM kept
        """
    }
}
