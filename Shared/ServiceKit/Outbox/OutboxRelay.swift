import Database
package import Logging
import Metrics
package import Models
import ServiceLifecycle

/// Brings the outbox to webhooks and the gateway: at least once, by ids that let the receiver know a repeat. A refused entry is set aside
/// with its reason and blocks nobody; everything else is tried until it is taken. Entries of different intakes travel apart: neither waits for
/// the other.
package struct OutboxRelay: Service {
    private static let batch = 100
    private static let lease = Duration.seconds(60)

    private let destination: ServiceName
    private let store: OutboxStore
    private let wake: WakeSignal
    private let client: ServiceClient
    private let logger: Logger
    private let poll: Duration
    private let backoff: Backoff

    package init(
        to destination: ServiceName,
        outbox: Outbox,
        client: ServiceClient,
        logger: Logger,
        poll: Duration = .seconds(5),
        backoff: Backoff = Backoff(base: .milliseconds(500), limit: .seconds(60))
    ) {
        self.destination = destination
        self.store = OutboxStore(database: outbox.wake.database)
        self.wake = outbox.wake
        self.client = client
        self.logger = logger
        self.poll = poll
        self.backoff = backoff
    }

    package func run() async throws {
        var loop = WorkLoop<[OutboxEntry]>(
            "outbox_\(self.destination.rawValue)",
            wake: self.wake,
            poll: self.poll,
            concurrency: 1,
            logger: self.logger,
            claim: { _ in
                let entries = try await self.store.claim(self.destination, limit: Self.batch, lease: Self.lease)
                return Dictionary(grouping: entries, by: \.intake).values.map { $0.sorted { $0.id < $1.id } }
            },
            work: { try await self.deliver($0) },
            handBack: { try await self.store.postpone($0, by: .zero) }
        )
        loop.backoff = self.backoff
        try await loop.run()
    }

    private func deliver(_ entries: [OutboxEntry]) async throws {
        do {
            try await self.post(entries)
            try await self.store.delete(entries)
        } catch let error as ServiceCallError where error.isRefusal {
            if entries.count == 1 {
                try await self.park(entries[0], error)
            } else {
                try await self.deliverSingly(entries)
            }
        } catch let error as ServiceCallError {
            try await self.postpone(entries)
            throw error
        }
    }

    /// One bad entry fails a whole batch: alone, it fails alone.
    private func deliverSingly(_ entries: [OutboxEntry]) async throws {
        for (index, entry) in entries.enumerated() {
            do {
                try await self.deliver([entry])
            } catch {
                try await self.postpone(Array(entries[(index + 1)...]))
                throw error
            }
        }
    }

    private func postpone(_ entries: [OutboxEntry]) async throws {
        guard let attempts = entries.map(\.attempts).min() else { return }
        try await self.store.postpone(entries, by: self.backoff.delay(afterFailures: attempts))
    }

    private func park(_ entry: OutboxEntry, _ error: ServiceCallError) async throws {
        let reason = String((error.answer?.detail ?? error.detail).prefix(500))
        try await self.store.park(entry, reason: reason)
        Metrics.Counter(label: "outbox_refused", dimensions: [("destination", self.destination.rawValue)]).increment()
        self.logger.error(
            "An outbox entry was refused and set aside",
            metadata: [
                "id": "\(entry.id)", "organization_id": "\(entry.organizationID)", "destination": "\(self.destination.rawValue)",
                "reason": "\(reason)",
            ]
        )
    }

    private func post(_ entries: [OutboxEntry]) async throws {
        guard let intake = entries.first?.intake else { return }
        _ = try await self.client.callBytes(intake.route, [:], [], intake.body(entries).serialized(), true)
    }
}

/// Where entries are taken in: told by what their ids begin with.
private enum Intake: Hashable {
    case events, audit, notices

    var route: Route {
        switch self {
        case .events: .takeEvents
        case .audit: .recordAudit
        case .notices: .takeNotices
        }
    }

    func body(_ entries: [OutboxEntry]) -> JSONValue {
        switch self {
        case .events: ["events": .array(entries.map { ["organization_id": .integer($0.organizationID.rawValue), "event": $0.body] })]
        case .audit: ["entries": .array(entries.map(\.body))]
        case .notices: ["notices": .array(entries.map(\.body))]
        }
    }
}

extension OutboxEntry {
    fileprivate var intake: Intake {
        if self.id.hasPrefix("aud_") { .audit } else if self.id.hasPrefix("ntc_") { .notices } else { .events }
    }
}

extension ServiceCallError {
    /// The receiver read the entries and will not take them. Other 4xx (identity, throttling) are faults of the house that pass.
    fileprivate var isRefusal: Bool {
        guard let status else { return false }
        return [400, 409, 413, 415, 422].contains(status)
    }
}
