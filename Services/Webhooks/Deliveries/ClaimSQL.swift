import Database
import Models

/// The statements by which deliveries are taken in hand and given back.
enum ClaimSQL {
    /// Claims come one after the other, over all processes: so what a target may have under way, and a second, is exact. Their commit waits for
    /// no disk: a claim that a crash of the server undoes was under way then, and is made again, as after a crash of its worker.
    static let begin: Query = """
        SELECT pg_advisory_xact_lock(hashtext('webhooks_claim')), set_config('synchronous_commit', 'off', true), \(Transaction.keyPlans)
        """

    /// Organizations for which something waits, in the order of their ids.
    static func organizations(_ limit: Int, after start: Int64) -> Query {
        """
        WITH RECURSIVE organizations AS (
            (
                SELECT organization_id FROM deliveries
                WHERE state = 'pending' AND organization_id > \(start)
                ORDER BY organization_id, subscription_id LIMIT 1
            )
            UNION ALL
            SELECT following.organization_id
            FROM organizations
            CROSS JOIN LATERAL (
                SELECT organization_id FROM deliveries
                WHERE state = 'pending' AND organization_id > organizations.organization_id
                ORDER BY organization_id, subscription_id LIMIT 1
            ) AS following
        )
        SELECT organization_id FROM organizations LIMIT \(limit)
        """
    }

    /// What is due, at most a share for each organization, and no more than it may have under way. Rows are not locked: no other claim runs.
    static func pick(_ limit: Int, _ shares: DeliveryQueue.Shares, _ caps: DeliveryQueue.Caps) -> Query {
        """
        SELECT turns.organization_id, picked.*
        FROM unnest(\(shares.organizations)::bigint[], \(shares.served)::bigint[]) AS turns (organization_id, served)
        CROSS JOIN LATERAL (
            SELECT least(\(shares.share), \(caps.perOrganization) - count(*)) AS share
            FROM (
                SELECT FROM deliveries
                WHERE organization_id = turns.organization_id AND state = 'delivering'
                ORDER BY subscription_id, lease_until LIMIT \(caps.perOrganization)
            ) AS under_way
        ) AS allowed
        CROSS JOIN LATERAL (
            (\(self.lanes("subscription_id > turns.served", caps.perSubscription)))
            UNION ALL
            (\(self.lanes("subscription_id <= turns.served", caps.perSubscription)))
            LIMIT allowed.share
        ) AS picked
        LIMIT \(limit)
        """
    }

    /// Of one organization: the lanes behind the one served last, or those up to it.
    private static func lanes(_ range: Query, _ perSubscription: Int) -> Query {
        """
        WITH RECURSIVE lanes AS (
            (
                SELECT subscription_id FROM deliveries
                WHERE organization_id = turns.organization_id AND state = 'pending' AND \(range)
                ORDER BY subscription_id LIMIT 1
            )
            UNION ALL
            SELECT following.subscription_id
            FROM lanes
            CROSS JOIN LATERAL (
                SELECT subscription_id FROM deliveries
                WHERE organization_id = turns.organization_id AND state = 'pending' AND subscription_id > lanes.subscription_id AND \(range)
                ORDER BY subscription_id LIMIT 1
            ) AS following
        )
        SELECT lanes.subscription_id, due.id, due.place, endpoint.*
        FROM lanes
        CROSS JOIN LATERAL (\(self.endpoint(perSubscription))) AS endpoint
        CROSS JOIN LATERAL (
            SELECT id, ctid AS place FROM deliveries
            WHERE organization_id = turns.organization_id AND subscription_id = lanes.subscription_id AND state = 'pending'
                AND next_attempt_at <= now()
            ORDER BY next_attempt_at, id
            LIMIT endpoint.room
        ) AS due
        """
    }

    /// How many more the lane may take, and what is known of its target; no row while it may take nothing. What is called off goes at full speed.
    private static func endpoint(_ perSubscription: Int) -> Query {
        """
        SELECT
            greatest(0, least(
                CASE WHEN state.breaker_is_open THEN 1 ELSE least(coalesce(state.in_flight_limit, \(perSubscription)), \(perSubscription)) END
                    - (
                        SELECT count(*) FROM (
                            SELECT FROM deliveries
                            WHERE organization_id = turns.organization_id AND subscription_id = lanes.subscription_id AND state = 'delivering'
                            ORDER BY lease_until LIMIT \(perSubscription)
                        ) AS under_way
                    ),
                floor(extract(epoch FROM now() + interval '1 second' - greatest(state.rate_until, now())) * subscription.rate_limit)
            ))::integer AS room,
            1.0 / subscription.rate_limit AS interval,
            CASE WHEN subscription.ended_at IS NULL AND subscription.disabled_at IS NULL THEN subscription.revision END AS revision,
            CASE
                WHEN subscription.id IS NULL OR subscription.ended_at IS NOT NULL THEN \(DeliveryFailure.unsubscribed.rawValue)::text
                WHEN subscription.disabled_at IS NOT NULL THEN \(DeliveryFailure.disabled.rawValue)::text
            END AS called_off,
            coalesce(
                NOT state.breaker_is_open AND state.recent_failures = 0 AND state.failing_since IS NULL AND state.in_flight_limit IS NULL, true
            ) AS is_sound
        FROM (SELECT) AS one
        LEFT JOIN zapier_webhooks AS subscription
            ON subscription.organization_id = turns.organization_id AND subscription.id = lanes.subscription_id
        LEFT JOIN endpoint_states AS state
            ON state.organization_id = turns.organization_id AND state.subscription_id = lanes.subscription_id
        WHERE subscription.ended_at IS NOT NULL OR subscription.disabled_at IS NOT NULL
            OR subscription.paused_at IS NULL AND coalesce(state.not_before <= now(), true)
        """
    }

    /// Counts what was picked against the rates of its lanes; nil where none has one.
    static func useUpRates(_ picks: [DeliveryQueue.Pick]) -> Query? {
        let used = Dictionary(grouping: picks.filter { $0.interval != nil }, by: \.key)
            .map { key, picks in (key: key, seconds: Double(picks.count) * (picks.first?.interval ?? 0)) }
        guard !used.isEmpty else { return nil }
        return """
            UPDATE endpoint_states AS state
            SET rate_until = greatest(state.rate_until, now()) + make_interval(secs => used.seconds)
            FROM unnest(
                \(used.map(\.key.organizationID))::bigint[], \(used.map(\.key.subscriptionID))::bigint[],
                \(used.map(\.seconds))::double precision[]
            ) AS used (organization_id, subscription_id, seconds)
            WHERE state.organization_id = used.organization_id AND state.subscription_id = used.subscription_id
            """
    }

    /// Rows are taken at the places where they were found, unless they are others by now, and events found one by one through their key: a way
    /// that leaves the planner no other. Joined by their keys, it walks through all that wait, and the day's events, for each claim where it
    /// believes the tables to be empty. What is compared here (`IS NOT DISTINCT FROM`; what waits has no lease) no index serves for that walk.
    static func take(_ picks: [DeliveryQueue.Pick], lease: Double) -> Query {
        """
        WITH taken AS (
            UPDATE deliveries AS delivery
            SET state = 'delivering',
                fence = delivery.fence + 1,
                attempts = delivery.attempts + 1,
                lease_until = now() + make_interval(secs => \(lease))
            FROM unnest(
                \(picks.map(\.key.organizationID))::bigint[], \(picks.map(\.id))::bigint[], \(picks.map(\.place))::tid[]
            ) AS pick (organization_id, id, place)
            WHERE delivery.ctid = pick.place AND delivery.lease_until IS NULL
                AND (delivery.organization_id, delivery.id) IS NOT DISTINCT FROM (pick.organization_id, pick.id)
            RETURNING delivery.organization_id, delivery.id, delivery.subscription_id, delivery.fence, delivery.attempts,
                delivery.failures, delivery.cause, delivery.ordering_key, delivery.event_id, delivery.event_type
        )
        SELECT taken.*, event.occurred_at, event.data
        FROM taken
        LEFT JOIN LATERAL (
            SELECT occurred_at, data::text AS data FROM events
            WHERE organization_id = taken.organization_id AND id = taken.event_id
            LIMIT 1
        ) AS event ON true
        """
    }

    /// By their place, as in ``take(_:lease:)``; what moves in between is left to the next time.
    static func takeBack(_ limit: Int, lease: Double) -> Query {
        """
        WITH lost AS (
            SELECT ctid AS place, lease_until
            FROM deliveries
            WHERE state = 'delivering' AND lease_until < now()
            ORDER BY lease_until
            LIMIT \(limit)
            FOR UPDATE SKIP LOCKED
        )
        UPDATE deliveries AS delivery
        SET state = 'pending', lease_until = NULL, next_attempt_at = now(), last_error = \(DeliveryFailure.interrupted.rawValue),
            history = \(AttemptHistory.cutOff(at: "lost.lease_until - make_interval(secs => \(lease))"))
        FROM lost
        WHERE delivery.ctid = lost.place
        """
    }

    static func handBack(_ delivery: ClaimedDelivery, recordsAttempt: Bool) -> Query {
        let history: Query = recordsAttempt ? AttemptHistory.cutOff(at: "clock_timestamp()") : "history"
        return """
            UPDATE deliveries AS delivery
            SET state = 'pending', lease_until = NULL, last_error = \(DeliveryFailure.interrupted.rawValue), history = \(history)
            WHERE organization_id = \(delivery.organizationID) AND id = \(delivery.id) AND fence = \(delivery.fence) AND state = 'delivering'
            """
    }
}
