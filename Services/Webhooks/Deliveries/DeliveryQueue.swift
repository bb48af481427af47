import Database
import Models
import ServiceKit
import Synchronization

/// Deliveries as work: claimed in fair turns, settled under their fence.
///
/// The waiting deliveries of one subscription are its lane. A claim goes from lane to lane, starting behind the one served last, and takes
/// from each no more than the subscription may have under way; so neither a hanging target nor a long lane keeps the others waiting. It
/// hops over the lanes' index (one probe a lane), so its cost does not grow with the rows that wait.
final class DeliveryQueue: Sendable {
    private struct Lane: Sendable, Hashable {
        var organizationID: Int64 = 0
        var subscriptionID: Int64 = 0
    }

    private struct Pick: RowDecodable {
        var lane: Lane
        var id: Int64
        /// How many more the lane's subscription may have under way.
        var room: Int

        init(row: Row) throws {
            self.lane = Lane(organizationID: try row.get("organization_id"), subscriptionID: try row.get("subscription_id"))
            self.id = try row.get("id")
            self.room = try row.get("room")
        }
    }

    /// Of the signal that there may be deliveries to make.
    static let signal = "webhooks_deliveries"
    static let channel = WakeSignal.channel(signal)

    /// Lost leases that one claim takes back.
    private static let takeBackLimit = 500

    let database: Postgres
    /// Attempts under way at once to one subscription. Claims that run at the same moment in two processes may each fill it.
    let perSubscription: Int
    /// Seconds.
    let lease: Double
    /// Takes the event of a subscription's end.
    let events: EventStore
    private let served = Mutex(Lane())

    init(database: Postgres, events: EventStore, perSubscription: Int, lease: Double) {
        self.database = database
        self.events = events
        self.perSubscription = perSubscription
        self.lease = lease
    }

    /// An attempt's time-out, and room for its claim before and its settlement after.
    static func lease(timeout: Duration) -> Double { timeout / .seconds(1) + 15 }

    func claim(_ limit: Int) async throws -> [ClaimedDelivery] {
        try await self.takeBack()
        let start = self.served.withLock { $0 }
        let claimed = try await self.claim(limit, after: start)
        if claimed.count == limit || start.organizationID == 0 { return claimed }
        // Nothing more behind the last one: go on from the first lane.
        return claimed + (try await self.claim(limit - claimed.count, after: Lane()))
    }

    private func claim(_ limit: Int, after start: Lane) async throws -> [ClaimedDelivery] {
        let (lane, claimed) = try await self.database.transaction { transaction in
            let picks = try transaction.rows(self.pick(limit, after: start), as: Pick.self)
            guard !picks.isEmpty else { return (Lane(), [ClaimedDelivery]()) }
            var claimed = try transaction.rows(self.take(picks), as: ClaimedDelivery.self)
            let full = Self.fullLanes(picks)
            for index in claimed.indices {
                let lane = Lane(
                    organizationID: claimed[index].organizationID.rawValue,
                    subscriptionID: claimed[index].subscriptionID.rawValue
                )
                claimed[index].fillsLane = full.contains(lane)
            }
            return (picks.last?.lane ?? Lane(), claimed)
        }
        self.served.withLock { $0 = lane }
        return claimed
    }

    private static func fullLanes(_ picks: [Pick]) -> Set<Lane> {
        let taken = Dictionary(grouping: picks, by: \.lane)
        return Set(taken.filter { $0.value.count >= ($0.value.first?.room ?? 0) }.keys)
    }

    private func pick(_ limit: Int, after start: Lane) -> Query {
        """
        WITH RECURSIVE lanes AS (
            (
                SELECT organization_id, subscription_id
                FROM deliveries
                WHERE state = 'pending' AND (organization_id, subscription_id) > (\(start.organizationID), \(start.subscriptionID))
                ORDER BY organization_id, subscription_id
                LIMIT 1
            )
            UNION ALL
            SELECT following.organization_id, following.subscription_id
            FROM lanes
            CROSS JOIN LATERAL (
                SELECT organization_id, subscription_id
                FROM deliveries
                WHERE state = 'pending' AND (organization_id, subscription_id) > (lanes.organization_id, lanes.subscription_id)
                ORDER BY organization_id, subscription_id
                LIMIT 1
            ) AS following
        )
        SELECT due.organization_id, due.id, lanes.subscription_id, under_way.room
        FROM lanes
        CROSS JOIN LATERAL (
            SELECT greatest(0, \(self.perSubscription) - count(*)) AS room
            FROM deliveries
            WHERE organization_id = lanes.organization_id AND subscription_id = lanes.subscription_id AND state = 'delivering'
        ) AS under_way
        CROSS JOIN LATERAL (
            SELECT organization_id, id
            FROM deliveries
            WHERE organization_id = lanes.organization_id
                AND subscription_id = lanes.subscription_id
                AND state = 'pending'
                AND next_attempt_at <= now()
            ORDER BY next_attempt_at, id
            LIMIT under_way.room
            FOR UPDATE SKIP LOCKED
        ) AS due
        LIMIT \(limit)
        """
    }

    private func take(_ picks: [Pick]) -> Query {
        """
        WITH taken AS (
            UPDATE deliveries AS delivery
            SET state = 'delivering',
                fence = delivery.fence + 1,
                attempts = delivery.attempts + 1,
                lease_until = now() + make_interval(secs => \(self.lease))
            FROM unnest(\(picks.map(\.lane.organizationID))::bigint[], \(picks.map(\.id))::bigint[]) AS pick (organization_id, id)
            WHERE delivery.organization_id = pick.organization_id AND delivery.id = pick.id
            RETURNING delivery.organization_id, delivery.id, delivery.subscription_id, delivery.fence, delivery.attempts,
                delivery.failures, delivery.event_id, delivery.event_type
        )
        SELECT taken.organization_id, taken.id, taken.subscription_id, taken.fence, taken.attempts, taken.failures, taken.event_id,
            taken.event_type, event.occurred_at, event.data::text AS data, subscription.target_url, subscription.secret
        FROM taken
        LEFT JOIN zapier_webhooks AS subscription
            ON subscription.organization_id = taken.organization_id AND subscription.id = taken.subscription_id
        LEFT JOIN events AS event
            ON event.organization_id = taken.organization_id AND event.id = taken.event_id
        """
    }

    /// Deliveries whose worker is gone wait again, at once. The cut-off attempt is recorded; it uses up nothing of the schedule.
    private func takeBack() async throws {
        try await self.database.write(
            """
            WITH lost AS (
                SELECT organization_id, id, lease_until
                FROM deliveries
                WHERE state = 'delivering' AND lease_until < now()
                LIMIT \(Self.takeBackLimit)
                FOR UPDATE SKIP LOCKED
            ),
            taken_back AS (
                UPDATE deliveries AS delivery
                SET state = 'pending', lease_until = NULL, last_error = \(DeliveryFailure.interrupted.rawValue)
                FROM lost
                WHERE delivery.organization_id = lost.organization_id AND delivery.id = lost.id
                RETURNING delivery.organization_id, delivery.id, delivery.attempts, lost.lease_until AS lease_until
            )
            INSERT INTO attempts (organization_id, delivery_id, number, started_at, error)
            SELECT organization_id, id, attempts, lease_until - make_interval(secs => \(self.lease)), \(DeliveryFailure.interrupted.rawValue)
            FROM taken_back
            ON CONFLICT (organization_id, delivery_id, number) DO NOTHING
            """
        )
    }

    /// Gives up a claim at shutdown. The target may have taken the event, so the attempt is recorded as cut off.
    func handBack(_ delivery: ClaimedDelivery) async throws {
        try await self.database.write(
            """
            WITH handed_back AS (
                UPDATE deliveries
                SET state = 'pending', lease_until = NULL, last_error = \(DeliveryFailure.interrupted.rawValue)
                WHERE organization_id = \(delivery.organizationID) AND id = \(delivery.id) AND fence = \(delivery.fence)
                    AND state = 'delivering'
                RETURNING organization_id, id, attempts
            )
            INSERT INTO attempts (organization_id, delivery_id, number, started_at, error)
            SELECT organization_id, id, attempts, now(), \(DeliveryFailure.interrupted.rawValue)
            FROM handed_back
            ON CONFLICT (organization_id, delivery_id, number) DO NOTHING
            """
        )
    }
}
