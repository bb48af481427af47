import Database
import Models

/// The event log and its fan-out.
struct EventStore: Sendable {
    let database: Postgres
    /// Seconds before the first attempt of a delivery.
    let firstWait: Double

    struct Stored: RowDecodable {
        /// Events that were not there before.
        var events: Int
        /// Deliveries made for them.
        var deliveries: Int

        init(row: Row) throws {
            self.events = try row.get("events")
            self.deliveries = try row.get("deliveries")
        }
    }

    func insert(_ incoming: [IncomingEvent]) async throws -> Stored {
        guard let stored = try await self.database.writeFirst(self.insertion(of: incoming), as: Stored.self) else {
            throw DatabaseAnswerMissing(statement: "event intake")
        }
        return stored
    }

    func insert(_ incoming: [IncomingEvent], _ transaction: Transaction) throws -> Stored {
        guard let stored = try transaction.first(self.insertion(of: incoming), as: Stored.self) else {
            throw DatabaseAnswerMissing(statement: "event intake")
        }
        return stored
    }

    /// Stores what is new and makes a delivery for each active subscription that wants it, in one statement: all or nothing.
    private func insertion(of incoming: [IncomingEvent]) -> Query {
        """
        WITH incoming AS (
            SELECT organization_id, id, type, occurred_at, data, quarantine
            FROM unnest(
                \(incoming.map(\.organizationID))::bigint[],
                \(incoming.map(\.id))::text[],
                \(incoming.map(\.type))::text[],
                \(incoming.map { Optional($0.event.timestamp) })::timestamptz[],
                \(incoming.map(\.event.data))::json[],
                \(incoming.map { $0.quarantine?.rawValue })::text[]
            ) AS given (organization_id, id, type, occurred_at, data, quarantine)
        ),
        stored AS (
            INSERT INTO events (organization_id, id, type, occurred_at, data, quarantine)
            SELECT organization_id, id, type, occurred_at, data, quarantine
            FROM incoming
            ORDER BY organization_id, id
            ON CONFLICT (organization_id, id) DO NOTHING
            RETURNING organization_id, id, type, quarantine
        ),
        fanned_out AS (
            INSERT INTO deliveries (organization_id, event_id, event_type, subscription_id, next_attempt_at)
            SELECT stored.organization_id, stored.id, stored.type, subscription.id, now() + make_interval(secs => \(self.firstWait))
            FROM stored
            JOIN zapier_webhooks AS subscription
                ON subscription.organization_id = stored.organization_id
                AND subscription.ended_at IS NULL
                AND stored.type = ANY (subscription.event_types)
            WHERE stored.quarantine IS NULL
            RETURNING id
        )
        SELECT (SELECT count(*) FROM stored) AS events, (SELECT count(*) FROM fanned_out) AS deliveries
        """
    }
}

/// A statement that always answers a row answered none.
struct DatabaseAnswerMissing: Error {
    var statement: String
}
