import Database
import Foundation
import Models

/// One page of a replay: the events looked at, and the deliveries made of them.
struct ReplayPage: Sendable {
    /// Bytes of events that are read at once.
    private static let longest = 4 << 20

    /// The last event looked at.
    var cursor: String
    var lookedAt: Int
    var made: Int
    /// There are no more events in the range.
    var isLast: Bool

    /// Looks at the next events and makes the deliveries, no more than the replay may in a second, in the transaction that will note the cursor;
    /// nil where the subscription takes nothing.
    init?(_ replay: Replay, events limit: Int, in organization: OrganizationID, _ transaction: Transaction) throws {
        let subscription = try transaction.first(
            """
            SELECT \(raw: Subscription.columns) FROM zapier_webhooks
            WHERE organization_id = \(organization) AND id = \(replay.subscriptionID) AND ended_at IS NULL AND disabled_at IS NULL
            """,
            as: Subscription.self
        )
        guard let subscription else { return nil }
        let seen = try transaction.rows(Self.next(limit, of: replay, in: organization), as: Seen.self)
        let events = seen.map(\.event)
        let wish = ReplayWish(subscription, replay)
        let made = try Self.make(seen.filter { wish.wants($0.event) }, wish, of: replay, in: organization, transaction)
        // Where the rate was used up, the page ends with the last that was made; those behind it were not looked at.
        let end = made.count < replay.rate ? events.count : (events.lastIndex { made.contains($0.id) } ?? 0) + 1
        self.cursor = end == 0 ? replay.cursor : events[end - 1].id
        self.lookedAt = end
        self.isLast = end == events.count && end < limit && end == seen.first?.found ?? 0
        self.made = made.count
    }

    private struct Seen: RowDecodable {
        var event: Event
        /// First and last of the deliveries that it brought.
        var brought: (first: Int64?, last: Int64?)
        /// How many there would have been but for their size.
        var found: Int

        init(row: Row) throws {
            self.event = try Event(row: row)
            self.brought = (try row.get("first_delivery"), try row.get("last_delivery"))
            self.found = try row.get("found")
        }
    }

    /// Events, as many as have ``longest`` bytes together, one at least.
    private static func next(_ limit: Int, of replay: Replay, in organization: OrganizationID) -> Query {
        """
        SELECT id, type, occurred_at, data, first_delivery, last_delivery, found
        FROM (
            SELECT *, count(*) OVER () AS found, row_number() OVER (ORDER BY id) AS number,
                sum(octet_length(data::text)) OVER (ORDER BY id) AS bytes
            FROM (
                SELECT id, type, occurred_at, data, first_delivery, last_delivery FROM events
                WHERE organization_id = \(organization) AND id > \(replay.cursor) AND id < \(replay.endID)
                    AND position <= \(replay.endPosition) AND quarantine IS NULL
                ORDER BY id LIMIT \(limit)
            ) AS following
        ) AS page
        WHERE bytes <= \(Self.longest) OR number = 1
        ORDER BY id
        """
    }

    /// SQL: true where an event is on its way to the subscription, or has arrived. The ranges have the order of the index by id, and of that by
    /// event of what was sent for other causes: by the subscription's, all that it ever got would be read for each event.
    private static func delivery(of replay: Replay, in organization: OrganizationID, among table: Query) -> Query {
        let meant: Query = "organization_id = \(organization) AND subscription_id = \(replay.subscriptionID) AND state <> 'dead'"
        return """
            (
                SELECT true FROM \(table)
                WHERE id BETWEEN wanted.first_delivery AND wanted.last_delivery AND event_id = wanted.id AND cause = 'event' AND \(meant)
                ORDER BY id LIMIT 1
            ),
            (
                SELECT true FROM \(table)
                WHERE event_id BETWEEN wanted.id AND wanted.id AND cause <> 'event' AND \(meant)
                ORDER BY event_id LIMIT 1
            )
            """
    }

    /// - Returns: ids of the events for which there is a delivery now, in the events' order as far as the rate goes.
    private static func make(
        _ seen: [Seen],
        _ wish: ReplayWish,
        of replay: Replay,
        in organization: OrganizationID,
        _ transaction: Transaction
    ) throws -> Set<String> {
        guard !seen.isEmpty else { return [] }
        let events = seen.map(\.event)
        let keys = events.map { wish.orderingKey?.orderingKey(of: EventView($0)) }
        if wish.orderingKey != nil { try EventStore.lockHeads([organization], transaction) }
        try transaction.planByKeys()
        let made = try transaction.rows(
            """
            INSERT INTO deliveries (organization_id, event_id, event_type, subscription_id, cause, replay_id, ordering_key, next_attempt_at)
            SELECT \(organization), wanted.id, wanted.type, \(replay.subscriptionID), 'replay', \(replay.id), wanted.ordering_key,
                CASE WHEN wanted.ordering_key IS NULL THEN now() ELSE 'infinity' END
            FROM unnest(
                \(events.map(\.id))::text[], \(events.map(\.type))::text[], \(keys)::text[],
                \(seen.map(\.brought.first))::bigint[], \(seen.map(\.brought.last))::bigint[]
            ) WITH ORDINALITY AS wanted (id, type, ordering_key, first_delivery, last_delivery, number)
            WHERE \(replay.scope == .all) OR coalesce(
                \(Self.delivery(of: replay, in: organization, among: "deliveries")),
                \(Self.delivery(of: replay, in: organization, among: "settled_deliveries"))
            ) IS NULL
            ORDER BY wanted.number
            LIMIT \(replay.rate)
            RETURNING event_id
            """,
            as: String.self
        )
        let lanes = Set(keys.compactMap { $0 }).map {
            OrderedLane(key: EndpointKey(organizationID: organization, subscriptionID: replay.subscriptionID), orderingKey: $0)
        }
        if !lanes.isEmpty { try OrderedLane.promote(lanes, after: 0, transaction) }
        return Set(made)
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
