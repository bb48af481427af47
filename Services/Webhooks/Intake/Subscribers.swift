import Database
import Models
import Synchronization

/// Who wants an event: the subscriptions' event types, filters and ordering keys.
///
/// Which subscriptions there are is read in the transaction that stores the event; what each one says is kept under its revision.
final class Subscribers: Sendable {
    /// An event to a subscription.
    struct Match: Sendable {
        var key: EndpointKey
        var eventID: String
        var eventType: String
        var orderingKey: String?
        /// Seconds before the first attempt; nil where the operator's schedule says it.
        var firstWait: Double?

        var lane: OrderedLane? { self.orderingKey.map { OrderedLane(key: self.key, orderingKey: $0) } }
    }

    /// What one subscription asks for.
    struct Wish: Sendable {
        var types: Set<String>
        var filter: EventFilter?
        var orderingKey: EventPath?
        var firstWait: Double?
    }

    private struct Known: RowDecodable {
        var key: EndpointKey
        var revision: Int64

        init(row: Row) throws {
            self.key = EndpointKey(organizationID: try row.get("organization_id"), subscriptionID: try row.get("id"))
            self.revision = try row.get("revision")
        }
    }

    private struct Told: RowDecodable {
        var key: EndpointKey
        var types: [String]
        var filter: JSONValue?
        var orderingKey: String?
        var firstWait: Double?

        init(row: Row) throws {
            self.key = EndpointKey(organizationID: try row.get("organization_id"), subscriptionID: try row.get("id"))
            self.types = try row.get("event_types")
            self.filter = try row.get("filter")
            self.orderingKey = try row.get("ordering_key")
            self.firstWait = try row.get("first_wait")
        }
    }

    private static let capacity = 20_000

    private let kept = Mutex<[EndpointKey: (revision: Int64, wish: Wish)]>([:])

    /// In the order of the events; none for what is quarantined.
    func matches(of incoming: [IncomingEvent], _ transaction: Transaction) throws -> [Match] {
        let wanted = incoming.filter { $0.quarantine == nil }
        guard !wanted.isEmpty else { return [] }
        let wishes = try self.wishes(Set(wanted.map(\.organizationID)), Set(wanted.map(\.type)), transaction)
        let audiences = wishes.mapValues { Audience($0) }
        return wanted.flatMap { event in
            let view = EventView(event.event)
            return (audiences[event.organizationID]?.candidates(for: view) ?? []).compactMap { (key, wish) -> Match? in
                guard wish.filter?.matches(view) ?? true else { return nil }
                return Match(
                    key: key,
                    eventID: event.id,
                    eventType: event.type,
                    orderingKey: wish.orderingKey?.orderingKey(of: view),
                    firstWait: wish.firstWait
                )
            }
        }
    }

    private func wishes(_ organizations: Set<OrganizationID>, _ types: Set<String>, _ transaction: Transaction) throws
        -> [OrganizationID: [(EndpointKey, Wish)]]
    {
        let known = try transaction.rows(
            """
            SELECT organization_id, id, revision
            FROM zapier_webhooks
            WHERE organization_id = ANY (\(Array(organizations))::bigint[]) AND ended_at IS NULL AND disabled_at IS NULL
                AND event_types && \(Array(types))::text[]
            ORDER BY organization_id, id
            """,
            as: Known.self
        )
        var found: [EndpointKey: Wish] = [:]
        let missing = self.kept.withLock { kept in
            known.filter { known in
                guard let kept = kept[known.key], kept.revision == known.revision else { return true }
                found[known.key] = kept.wish
                return false
            }
        }
        if !missing.isEmpty { found.merge(try self.read(missing, transaction)) { $1 } }
        return known.reduce(into: [:]) { wishes, known in
            if let wish = found[known.key] { wishes[known.key.organizationID, default: []].append((known.key, wish)) }
        }
    }

    private func read(_ missing: [Known], _ transaction: Transaction) throws -> [EndpointKey: Wish] {
        let told = try transaction.rows(
            """
            SELECT organization_id, id, event_types, filter, ordering_key, retry_waits[1] AS first_wait
            FROM zapier_webhooks
            WHERE (organization_id, id) IN (
                SELECT * FROM unnest(\(missing.map(\.key.organizationID))::bigint[], \(missing.map(\.key.subscriptionID))::bigint[])
            )
            """,
            as: Told.self
        )
        let revisions = Dictionary(missing.map { ($0.key, $0.revision) }, uniquingKeysWith: { $1 })
        let wishes = told.reduce(into: [EndpointKey: Wish]()) { wishes, told in
            wishes[told.key] = Wish(
                types: Set(told.types),
                filter: told.filter.flatMap { EventFilter(stored: $0, for: told.types.compactMap(EventType.init)) },
                orderingKey: told.orderingKey.flatMap { try? EventPath(parsing: $0) },
                firstWait: told.firstWait
            )
        }
        self.kept.withLock { kept in
            if kept.count + wishes.count > Self.capacity { kept = [:] }
            for (key, wish) in wishes { kept[key] = (revisions[key] ?? 0, wish) }
        }
        return wishes
    }
}

extension EventPath {
    /// Bytes of an ordering key; a longer value is cut, which only makes more of them wait for each other.
    private static let longestOrderingKey = 200

    /// The value in one line of text. Events without it follow one another as those with the empty one do.
    func orderingKey(of event: EventView) -> String {
        guard let value = self.value(in: event) else { return "" }
        let text = value.stringValue ?? value.text
        return CleanText.line(text, limit: Self.longestOrderingKey)
    }
}
