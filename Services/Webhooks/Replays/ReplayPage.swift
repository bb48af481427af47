import Database
import Foundation
import Models

/// One page of a replay: the events looked at, and the deliveries made of them.
struct ReplayPage: Sendable {
    /// The last event looked at.
    var cursor: String
    var lookedAt: Int
    var made: Int
    /// There are no more events in the range.
    var isLast: Bool

    /// Looks at the next events and makes the deliveries, in the transaction that will note the cursor; nil where the subscription takes nothing.
    init?(_ replay: Replay, events limit: Int, in organization: OrganizationID, _ transaction: Transaction) throws {
        let subscription = try transaction.first(
            """
            SELECT \(raw: Subscription.columns) FROM zapier_webhooks
            WHERE organization_id = \(organization) AND id = \(replay.subscriptionID) AND ended_at IS NULL AND disabled_at IS NULL
            """,
            as: Subscription.self
        )
        guard let subscription else { return nil }
        let events = try transaction.rows(Self.next(limit, of: replay, in: organization), as: Event.self)
        let wish = ReplayWish(subscription, replay)
        let wanted = events.filter(wish.wants)
        self.cursor = events.last?.id ?? replay.cursor
        self.lookedAt = events.count
        self.isLast = events.count < limit
        self.made = try Self.make(wanted, wish, of: replay, in: organization, transaction)
    }

    private static func next(_ limit: Int, of replay: Replay, in organization: OrganizationID) -> Query {
        """
        SELECT id, type, occurred_at, data FROM events
        WHERE organization_id = \(organization) AND id > \(replay.cursor) AND id < \(replay.endID) AND position <= \(replay.endPosition)
            AND quarantine IS NULL
        ORDER BY id LIMIT \(limit)
        """
    }

    /// SQL: true where an event is on its way to the subscription, or has arrived. The range of one event has the order of the index by event:
    /// by that of the subscription, all that it ever got would be read for each event.
    private static func delivery(of replay: Replay, in organization: OrganizationID, among table: Query) -> Query {
        """
        SELECT true FROM \(table)
        WHERE organization_id = \(organization) AND event_id BETWEEN wanted.id AND wanted.id
            AND subscription_id = \(replay.subscriptionID) AND state <> 'dead'
        ORDER BY event_id LIMIT 1
        """
    }

    private static func make(
        _ events: [Event],
        _ wish: ReplayWish,
        of replay: Replay,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws -> Int {
        guard !events.isEmpty else { return 0 }
        let keys = events.map { wish.orderingKey?.orderingKey(of: EventView($0)) }
        if wish.orderingKey != nil { try EventStore.lockHeads([organization], transaction) }
        try transaction.planByKeys()
        let made = try transaction.write(
            """
            INSERT INTO deliveries (organization_id, event_id, event_type, subscription_id, cause, replay_id, ordering_key, next_attempt_at)
            SELECT \(organization), wanted.id, wanted.type, \(replay.subscriptionID), 'replay', \(replay.id), wanted.ordering_key,
                CASE WHEN wanted.ordering_key IS NULL THEN now() ELSE 'infinity' END
            FROM unnest(\(events.map(\.id))::text[], \(events.map(\.type))::text[], \(keys)::text[])
                WITH ORDINALITY AS wanted (id, type, ordering_key, number)
            WHERE \(replay.scope == .all) OR coalesce(
                (\(Self.delivery(of: replay, in: organization, among: "deliveries"))),
                (\(Self.delivery(of: replay, in: organization, among: "settled_deliveries")))
            ) IS NULL
            ORDER BY wanted.number
            """
        )
        let lanes = Set(keys.compactMap { $0 }).map {
            OrderedLane(key: EndpointKey(organizationID: organization, subscriptionID: replay.subscriptionID), orderingKey: $0)
        }
        if !lanes.isEmpty { try OrderedLane.promote(lanes, after: 0, transaction) }
        return made
    }
}

/// Which events a replay sends: what the subscription wants now, narrowed by the replay's own filter.
private struct ReplayWish {
    private let types: Set<String>
    private let filters: [EventFilter]
    let orderingKey: EventPath?

    init(_ subscription: Subscription, _ replay: Replay) {
        let types = subscription.eventTypes.compactMap(EventType.init)
        self.types = Set(subscription.eventTypes)
        self.filters = [subscription.options.filter, replay.filter].compactMap { $0.flatMap { EventFilter(stored: $0, for: types) } }
        self.orderingKey = subscription.options.orderingKey.flatMap { try? EventPath(parsing: $0) }
    }

    func wants(_ event: Event) -> Bool {
        guard self.types.contains(event.type) else { return false }
        if self.filters.isEmpty { return true }
        let view = EventView(event)
        return self.filters.allSatisfy { $0.matches(view) }
    }
}
