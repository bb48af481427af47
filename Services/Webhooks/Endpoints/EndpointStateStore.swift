import Database
import Foundation
import Models

/// A subscription of an organization.
struct EndpointKey: Hashable, Sendable, Comparable {
    var organizationID: OrganizationID
    var subscriptionID: SubscriptionID

    static func < (left: Self, right: Self) -> Bool {
        (left.organizationID.rawValue, left.subscriptionID.rawValue) < (right.organizationID.rawValue, right.subscriptionID.rawValue)
    }
}

/// The rows of `endpoint_states`.
enum EndpointStateStore {
    static let columns: StaticString = """
        organization_id, subscription_id, in_flight_limit, not_before, recent_failures, breaker_is_open, trips, slowdowns, failing_since,
        last_error, told_at_percent
        """

    struct Stored: RowDecodable {
        var key: EndpointKey
        var health: EndpointHealth
        /// Of the database, in one reading for all rows.
        var now: Date

        init(row: Row) throws {
            self.key = EndpointKey(organizationID: try row.get("organization_id"), subscriptionID: try row.get("subscription_id"))
            self.health = try EndpointHealth(row: row)
            self.now = try row.get("now")
        }
    }

    static func insert(_ id: SubscriptionID, in organization: OrganizationID) -> Query {
        """
        INSERT INTO endpoint_states (organization_id, subscription_id) VALUES (\(organization), \(id))
        ON CONFLICT (organization_id, subscription_id) DO NOTHING
        """
    }

    /// In one order for all, so that two batches never wait for each other.
    static func lock(_ keys: [EndpointKey], _ transaction: Transaction) throws -> [Stored] {
        try transaction.rows(
            """
            SELECT \(raw: self.columns), clock_timestamp() AS now
            FROM endpoint_states
            WHERE (organization_id, subscription_id) IN (
                SELECT * FROM unnest(\(keys.map(\.organizationID))::bigint[], \(keys.map(\.subscriptionID))::bigint[])
            )
            ORDER BY organization_id, subscription_id
            FOR UPDATE
            """
        )
    }

    static func update(_ states: [(key: EndpointKey, health: EndpointHealth)]) -> Query {
        """
        UPDATE endpoint_states AS state
        SET in_flight_limit = new.in_flight_limit, not_before = new.not_before, recent_failures = new.recent_failures,
            breaker_is_open = new.breaker_is_open, trips = new.trips, slowdowns = new.slowdowns, failing_since = new.failing_since,
            last_error = new.last_error, told_at_percent = new.told_at_percent
        FROM unnest(
            \(states.map(\.key.organizationID))::bigint[], \(states.map(\.key.subscriptionID))::bigint[],
            \(states.map(\.health.inFlightLimit))::integer[], \(states.map { Optional($0.health.notBefore) })::timestamptz[],
            \(states.map { Int($0.health.recentFailures) })::integer[], \(states.map(\.health.breakerIsOpen))::boolean[],
            \(states.map(\.health.trips))::integer[], \(states.map(\.health.slowdowns))::integer[],
            \(states.map(\.health.failingSince))::timestamptz[], \(states.map(\.health.lastError))::text[],
            \(states.map(\.health.toldAtPercent))::integer[]
        ) AS new (organization_id, subscription_id, in_flight_limit, not_before, recent_failures, breaker_is_open, trips, slowdowns,
            failing_since, last_error, told_at_percent)
        WHERE state.organization_id = new.organization_id AND state.subscription_id = new.subscription_id
        """
    }

    /// A fresh start: enabled again, or given another target.
    static func reset(_ id: SubscriptionID, in organization: OrganizationID) -> Query {
        self.update([(EndpointKey(organizationID: organization, subscriptionID: id), .sound)])
    }
}

extension EndpointHealth: RowDecodable {
    init(row: Row) throws {
        self.init()
        self.inFlightLimit = try row.get("in_flight_limit")
        self.notBefore = try row.get("not_before")
        self.recentFailures = UInt32(truncatingIfNeeded: try row.get("recent_failures") as Int)
        self.breakerIsOpen = try row.get("breaker_is_open")
        self.trips = try row.get("trips")
        self.slowdowns = try row.get("slowdowns")
        self.failingSince = try row.get("failing_since")
        self.lastError = try row.get("last_error")
        self.toldAtPercent = try row.get("told_at_percent")
    }
}
