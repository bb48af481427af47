import Database
import Models

/// The event log and its fan-out.
struct EventStore: Sendable {
    let database: Postgres
    let subscribers: Subscribers
    /// Seconds before the first attempt of a delivery to a subscription that has no schedule of its own.
    let firstWait: Double

    struct Stored: Sendable {
        /// Ids of the events that were not there before, by organization; nil where all of them were new.
        fileprivate var new: [OrganizationID: Set<String>]?
        /// Deliveries made for them.
        var deliveries: Int

        /// How many of these.
        func count(of incoming: [IncomingEvent]) -> Int {
            guard let new = self.new else { return incoming.count }
            let told = incoming.reduce(into: [OrganizationID: Set<String>]()) { $0[$1.organizationID, default: []].insert($1.id) }
            return told.reduce(0) { $0 + (new[$1.key]?.intersection($1.value).count ?? 0) }
        }
    }

    private struct Insertion: RowDecodable {
        var events: Int
        /// Of the new ones, with their ids; empty where all were.
        var organizations: [OrganizationID]
        var ids: [String]
        var deliveries: Int

        init(row: Row) throws {
            self.events = try row.get("events")
            self.organizations = try row.get("organizations")
            self.ids = try row.get("ids")
            self.deliveries = try row.get("deliveries")
        }
    }

    func insert(_ incoming: [IncomingEvent]) async throws -> Stored {
        try await self.database.transaction(retry: .onConflict(attempts: 3)) { transaction in try self.insert(incoming, transaction) }
    }

    /// Stores what is new and makes a delivery for each subscription that wants it: all or nothing.
    func insert(_ incoming: [IncomingEvent], _ transaction: Transaction) throws -> Stored {
        let once = Self.once(incoming)
        let positions = try self.positions(for: once, transaction)
        let matches = try self.subscribers.matches(of: once, transaction)
        let ids = try Self.deliveryIDs(matches.count, transaction)
        let insertion = self.insertion(of: once, outOf: incoming.count, at: positions, matches, ids)
        guard let made = try transaction.first(insertion, as: Insertion.self) else {
            throw DatabaseAnswerMissing(statement: "event insert")
        }
        for (wait, matches) in Dictionary(grouping: matches.filter { $0.orderingKey != nil }, by: { $0.firstWait ?? self.firstWait }) {
            try OrderedLane.promote(matches.compactMap(\.lane), after: wait, transaction)
        }
        guard made.events < incoming.count else { return Stored(deliveries: made.deliveries) }
        let new = zip(made.organizations, made.ids).reduce(into: [OrganizationID: Set<String>]()) {
            $0[$1.0, default: []].insert($1.1)
        }
        return Stored(new: new, deliveries: made.deliveries)
    }

    /// A batch may hold an event twice, and batches that are stored together may hold the same one.
    private static func once(_ incoming: [IncomingEvent]) -> [IncomingEvent] {
        var seen: [OrganizationID: Set<String>] = [:]
        return incoming.filter { seen[$0.organizationID, default: []].insert($0.id).inserted }
    }

    // MARK: - Positions

    private struct Head: RowDecodable {
        var organizationID: OrganizationID
        var position: Int64

        init(row: Row) throws {
            self.organizationID = try row.get("organization_id")
            self.position = try row.get("position")
        }
    }

    /// One for each event. Holds the organizations' heads until the commit: what is committed later has a later position.
    private func positions(for incoming: [IncomingEvent], _ transaction: Transaction) throws -> [Int64] {
        let counts = incoming.reduce(into: [OrganizationID: Int64]()) { $0[$1.organizationID, default: 0] += 1 }
        let heads = try transaction.rows(
            """
            INSERT INTO event_heads (organization_id, position)
            SELECT * FROM unnest(\(Array(counts.keys))::bigint[], \(Array(counts.values))::bigint[]) AS new (organization_id, position)
            ORDER BY organization_id
            ON CONFLICT (organization_id) DO UPDATE SET position = event_heads.position + excluded.position
            RETURNING organization_id, position
            """,
            as: Head.self
        )
        var next = heads.reduce(into: [OrganizationID: Int64]()) { $0[$1.organizationID] = $1.position - (counts[$1.organizationID] ?? 0) }
        return incoming.map { event in
            next[event.organizationID, default: 0] += 1
            return next[event.organizationID] ?? 0
        }
    }

    /// For those who must not miss what comes in, and those who may write an event later in their transaction: before any other lock.
    static func lockHeads(_ organizations: Set<OrganizationID>, _ transaction: Transaction) throws {
        try transaction.write(
            """
            SELECT FROM event_heads WHERE organization_id = ANY (\(Array(organizations))::bigint[]) ORDER BY organization_id FOR UPDATE
            """
        )
    }

    // MARK: - Rows

    /// In their order, and side by side but for those that other transactions take meanwhile.
    private static func deliveryIDs(_ count: Int, _ transaction: Transaction) throws -> [Int64] {
        guard count > 0 else { return [] }
        return try transaction.rows("SELECT nextval('deliveries_id_seq') AS id FROM generate_series(1, \(count))", as: Int64.self)
    }

    /// The first and last id among the deliveries of each event; matches are in the order of the events.
    private static func bounds(of incoming: [IncomingEvent], _ matches: [Subscribers.Match], _ ids: [Int64]) -> [(
        first: Int64, last: Int64
    )?] {
        var next = 0
        return incoming.map { event in
            let first = next
            while next < matches.count, matches[next].eventID == event.id, matches[next].key.organizationID == event.organizationID {
                next += 1
            }
            return next > first ? (ids[first], ids[next - 1]) : nil
        }
    }

    /// - told: how many were told, with repeats.
    private func insertion(
        of incoming: [IncomingEvent],
        outOf told: Int,
        at positions: [Int64],
        _ matches: [Subscribers.Match],
        _ ids: [Int64]
    ) -> Query {
        let bounds = Self.bounds(of: incoming, matches, ids)
        return """
            WITH stored AS (
                INSERT INTO events (organization_id, id, type, occurred_at, data, quarantine, position, first_delivery, last_delivery)
                SELECT * FROM unnest(
                    \(incoming.map(\.organizationID))::bigint[],
                    \(incoming.map(\.id))::text[],
                    \(incoming.map(\.type))::text[],
                    \(incoming.map { Optional($0.event.timestamp) })::timestamptz[],
                    \(incoming.map(\.event.data))::json[],
                    \(incoming.map { $0.quarantine?.rawValue })::text[],
                    \(positions)::bigint[],
                    \(bounds.map { $0?.first })::bigint[],
                    \(bounds.map { $0?.last })::bigint[]
                )
                ON CONFLICT (organization_id, id) DO NOTHING
                RETURNING organization_id, id
            ),
            fanned_out AS (
                INSERT INTO deliveries (organization_id, id, event_id, event_type, subscription_id, ordering_key, next_attempt_at)
                SELECT match.organization_id, match.id, match.event_id, match.event_type, match.subscription_id, match.ordering_key,
                    CASE WHEN match.ordering_key IS NULL THEN now() + make_interval(secs => match.wait) ELSE 'infinity' END
                FROM unnest(
                    \(matches.map(\.key.organizationID))::bigint[],
                    \(ids)::bigint[],
                    \(matches.map(\.eventID))::text[],
                    \(matches.map(\.eventType))::text[],
                    \(matches.map(\.key.subscriptionID))::bigint[],
                    \(matches.map(\.orderingKey))::text[],
                    \(matches.map { $0.firstWait ?? self.firstWait })::double precision[]
                ) AS match (organization_id, id, event_id, event_type, subscription_id, ordering_key, wait)
                JOIN stored ON stored.organization_id = match.organization_id AND stored.id = match.event_id
                RETURNING id
            )
            SELECT events, (SELECT count(*) FROM fanned_out) AS deliveries,
                CASE WHEN events < \(told) THEN organizations ELSE '{}' END AS organizations,
                CASE WHEN events < \(told) THEN ids ELSE '{}' END AS ids
            FROM (
                SELECT count(*) AS events, coalesce(array_agg(organization_id), '{}') AS organizations, coalesce(array_agg(id), '{}') AS ids
                FROM stored
            ) AS new
            """
    }
}

/// A statement that always answers a row answered none.
struct DatabaseAnswerMissing: Error {
    var statement: String
}
