import Database
import Models

/// Deliveries of one subscription with one ordering key: the first in the queue may be made, the others wait until infinity.
struct OrderedLane: Hashable, Sendable {
    var key: EndpointKey
    var orderingKey: String

    init(key: EndpointKey, orderingKey: String) {
        self.key = key
        self.orderingKey = orderingKey
    }

    /// nil where the delivery has no ordering key.
    init?(_ delivery: ClaimedDelivery) {
        guard let orderingKey = delivery.orderingKey else { return nil }
        self.init(key: delivery.key, orderingKey: orderingKey)
    }

    /// Lets the first of each lane go, in so many seconds, where it waits for its turn. The organization's event head must be locked, so that
    /// none comes in unseen.
    static func promote(_ lanes: [OrderedLane], after wait: Double, _ transaction: Transaction) throws {
        let lanes = Array(Set(lanes))
        try transaction.planByKeys()
        // The range of one ordering key has the order of the one index that is meant for it.
        try transaction.write(
            """
            UPDATE deliveries AS delivery
            SET next_attempt_at = now() + make_interval(secs => \(wait))
            FROM unnest(
                \(lanes.map(\.key.organizationID))::bigint[], \(lanes.map(\.key.subscriptionID))::bigint[], \(lanes.map(\.orderingKey))::text[]
            ) AS lane (organization_id, subscription_id, ordering_key)
            CROSS JOIN LATERAL (
                SELECT ctid FROM deliveries
                WHERE organization_id = lane.organization_id AND subscription_id = lane.subscription_id
                    AND ordering_key BETWEEN lane.ordering_key AND lane.ordering_key
                ORDER BY ordering_key, id LIMIT 1
            ) AS first
            WHERE delivery.ctid = first.ctid AND delivery.state = 'pending' AND delivery.next_attempt_at = 'infinity'
            """
        )
    }

    /// Of a subscription of which some deliveries were called off. Event heads must be locked.
    static func promoteAll(of subscription: SubscriptionID, in organization: OrganizationID, _ transaction: Transaction) throws {
        let keys = try transaction.rows(
            """
            SELECT DISTINCT ordering_key FROM deliveries
            WHERE organization_id = \(organization) AND subscription_id = \(subscription) AND ordering_key IS NOT NULL
            """,
            as: String.self
        )
        let key = EndpointKey(organizationID: organization, subscriptionID: subscription)
        if !keys.isEmpty { try self.promote(keys.map { OrderedLane(key: key, orderingKey: $0) }, after: 0, transaction) }
    }
}
