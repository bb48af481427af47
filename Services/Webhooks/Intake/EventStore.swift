import Database
import Models

/// The event log and its fan-out.
struct EventStore: Sendable {
    let database: Postgres
    let subscribers: Subscribers
    /// Seconds before the first attempt of a delivery to a subscription that has no schedule of its own.
    let firstWait: Double

    struct Stored: Sendable {
        /// Ids of the events that were not there before, by organization.
        var events: [OrganizationID: Set<String>] = [:]
        /// Deliveries made for them.
        var deliveries = 0

        /// How many of these.
        func count(of incoming: [IncomingEvent]) -> Int {
            let told = incoming.reduce(into: [OrganizationID: Set<String>]()) { $0[$1.organizationID, default: []].insert($1.id) }
            return told.reduce(0) { $0 + (self.events[$1.key]?.intersection($1.value).count ?? 0) }
        }
    }

    private struct StoredEvent: RowDecodable {
        var organizationID: OrganizationID
        var id: String
        var deliveries: Int

        init(row: Row) throws {
            self.organizationID = try row.get("organization_id")
            self.id = try row.get("id")
            self.deliveries = try row.get("deliveries")
        }
    }

    func insert(_ incoming: [IncomingEvent]) async throws -> Stored {
        try await self.database.transaction(retry: .onConflict(attempts: 3)) { transaction in try self.insert(incoming, transaction) }
    }

    /// Stores what is new and makes a delivery for each subscription that wants it: all or nothing.
    func insert(_ incoming: [IncomingEvent], _ transaction: Transaction) throws -> Stored {
        let incoming = Self.once(incoming)
        let positions = try self.positions(for: incoming, transaction)
        let matches = try self.subscribers.matches(of: incoming, transaction)
        let rows = try transaction.rows(self.insertion(of: incoming, at: positions, matches), as: StoredEvent.self)
        for (wait, matches) in Dictionary(grouping: matches.filter { $0.orderingKey != nil }, by: { $0.firstWait ?? self.firstWait }) {
            try OrderedLane.promote(matches.compactMap(\.lane), after: wait, transaction)
        }
        return rows.reduce(into: Stored()) { stored, row in
            stored.events[row.organizationID, default: []].insert(row.id)
            stored.deliveries = row.deliveries
        }
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

    private func insertion(of incoming: [IncomingEvent], at positions: [Int64], _ matches: [Subscribers.Match]) -> Query {
        """
        WITH stored AS (
            INSERT INTO events (organization_id, id, type, occurred_at, data, quarantine, position)
            SELECT * FROM unnest(
                \(incoming.map(\.organizationID))::bigint[],
                \(incoming.map(\.id))::text[],
                \(incoming.map(\.type))::text[],
                \(incoming.map { Optional($0.event.timestamp) })::timestamptz[],
                \(incoming.map(\.event.data))::json[],
                \(incoming.map { $0.quarantine?.rawValue })::text[],
                \(positions)::bigint[]
            )
            ON CONFLICT (organization_id, id) DO NOTHING
            RETURNING organization_id, id
        ),
        fanned_out AS (
            INSERT INTO deliveries (organization_id, event_id, event_type, subscription_id, ordering_key, next_attempt_at)
            SELECT match.organization_id, match.event_id, match.event_type, match.subscription_id, match.ordering_key,
                CASE WHEN match.ordering_key IS NULL THEN now() + make_interval(secs => match.wait) ELSE 'infinity' END
            FROM unnest(
                \(matches.map(\.key.organizationID))::bigint[],
                \(matches.map(\.eventID))::text[],
                \(matches.map(\.eventType))::text[],
                \(matches.map(\.key.subscriptionID))::bigint[],
                \(matches.map(\.orderingKey))::text[],
                \(matches.map { $0.firstWait ?? self.firstWait })::double precision[]
            ) WITH ORDINALITY AS match (organization_id, event_id, event_type, subscription_id, ordering_key, wait, number)
            JOIN stored ON stored.organization_id = match.organization_id AND stored.id = match.event_id
            ORDER BY match.number
            RETURNING id
        )
        SELECT organization_id, id, (SELECT count(*) FROM fanned_out) AS deliveries FROM stored
        """
    }
}

/// A statement that always answers a row answered none.
struct DatabaseAnswerMissing: Error {
    var statement: String
}
