import Database
import Foundation
import Models

/// An event of the log with how its deliveries stand; its data is what subscribers get and is not shown here.
struct LoggedEvent: Encodable, Sendable {
    struct Counts: Encodable, Sendable, Equatable {
        var total: Int
        var pending: Int
        var delivering: Int
        var succeeded: Int
        var dead: Int
    }

    var id: String
    var type: String
    var timestamp: Date
    var receivedAt: Date
    /// Why it is kept back from subscribers; nil for the others.
    var quarantine: String?
    var deliveries: Counts

    private enum CodingKeys: String, CodingKey {
        case id, type, timestamp, quarantine, deliveries
        case receivedAt = "received_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.id, forKey: .id)
        try container.encode(self.type, forKey: .type)
        try container.encode(self.timestamp, forKey: .timestamp)
        try container.encode(self.receivedAt, forKey: .receivedAt)
        try container.encode(self.quarantine, forKey: .quarantine)
        try container.encode(self.deliveries, forKey: .deliveries)
    }
}

extension LoggedEvent: RowDecodable {
    init(row: Row) throws {
        self.id = try row.get("id")
        self.type = try row.get("type")
        self.timestamp = try row.get("occurred_at")
        self.receivedAt = try row.get("received_at")
        self.quarantine = try row.get("quarantine")
        self.deliveries = Counts(
            total: try row.get("total"),
            pending: try row.get("pending"),
            delivering: try row.get("delivering"),
            succeeded: try row.get("succeeded"),
            dead: try row.get("dead")
        )
    }
}

/// `?event=&state=`; what is not given does not narrow.
struct EventLogFilter: Sendable, Equatable {
    var type: EventType?
    /// Events with at least one delivery in this state.
    var state: DeliveryState?

    static let names: Set<String> = ["event", "state"]

    /// - Throws: one validation ``Problem`` that names every fault.
    init(event: String?, state: String?) throws {
        var faults: [Problem.Fault] = []
        if let event {
            self.type = EventType(rawValue: event)
            let known = EventType.allCases.map(\.rawValue).joined(separator: ", ")
            if self.type == nil { faults.append(.init(pointer: "?event", detail: "must be one of \(known)")) }
        }
        if let state {
            self.state = DeliveryState(rawValue: state)
            let known = DeliveryState.allCases.map(\.rawValue).joined(separator: ", ")
            if self.state == nil { faults.append(.init(pointer: "?state", detail: "must be one of \(known)")) }
        }
        guard faults.isEmpty else { throw Problem.validation(faults) }
    }
}

struct EventLogStore: Sendable {
    let database: Postgres

    /// Newest first, one more than the limit. Ids grow with time: their order is that of the events.
    func list(_ limit: Int, before: String?, _ filter: EventLogFilter, in organization: OrganizationID) async throws -> [LoggedEvent] {
        var events: Query = """
            SELECT id, type, occurred_at, received_at, quarantine FROM events WHERE organization_id = \(organization)
            """
        if let before { events += " AND id < \(before)" }
        if let type = filter.type { events += " AND type = \(type.rawValue)" }
        if let state = filter.state { events += " AND \(Self.has(state, in: organization))" }
        events += " ORDER BY id DESC LIMIT \(limit + 1)"
        return try await self.database.read(
            """
            SELECT event.id, event.type, event.occurred_at, event.received_at, event.quarantine, counts.total, counts.pending,
                counts.delivering, counts.succeeded, counts.dead
            FROM (\(events)) AS event
            CROSS JOIN LATERAL (
                SELECT count(*) AS total, count(*) FILTER (WHERE state = 'pending') AS pending,
                    count(*) FILTER (WHERE state = 'delivering') AS delivering,
                    count(*) FILTER (WHERE state = 'succeeded') AS succeeded, count(*) FILTER (WHERE state = 'dead') AS dead
                FROM event_deliveries(\(organization), event.id)
            ) AS counts
            ORDER BY event.id DESC
            """
        )
    }

    /// What most events have is looked for event by event, newest first; what few have, through the states' own small indexes, which are found
    /// by the text of the statement.
    private static func has(_ state: DeliveryState, in organization: OrganizationID) -> Query {
        switch state {
        case .succeeded:
            """
            coalesce(
                (
                    SELECT true FROM settled_deliveries AS done
                    WHERE done.organization_id = \(organization) AND done.id BETWEEN events.first_delivery AND events.last_delivery
                        AND done.event_id = events.id AND done.cause = 'event' AND done.state = 'succeeded' LIMIT 1
                ),
                (
                    SELECT true FROM settled_deliveries AS done
                    WHERE done.organization_id = \(organization) AND done.event_id = events.id AND done.cause <> 'event'
                        AND done.state = 'succeeded' LIMIT 1
                )
            )
            """
        case .dead: "id IN (SELECT event_id FROM settled_deliveries WHERE organization_id = \(organization) AND state = 'dead')"
        case .pending: "id IN (SELECT event_id FROM deliveries WHERE organization_id = \(organization) AND state = 'pending')"
        case .delivering: "id IN (SELECT event_id FROM deliveries WHERE organization_id = \(organization) AND state = 'delivering')"
        }
    }
}
