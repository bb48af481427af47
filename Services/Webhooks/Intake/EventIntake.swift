import Logging
import Metrics
import Models
import ServiceKit

/// Takes events from the other services' outboxes: stored and fanned out once, however often they are sent. Batches that come at the same
/// moment are stored together.
struct EventIntake: Sendable {
    /// Batches stored in one transaction.
    private static let batches = 32

    /// Woken when deliveries were made.
    let due: WakeSignal
    let logger: Logger
    private let batcher: Batcher<[IncomingEvent], Int>

    init(store: EventStore, due: WakeSignal, logger: Logger) {
        self.due = due
        self.logger = logger
        self.batcher = Batcher(limit: Self.batches, writers: 1) { batches in
            let stored = try await store.insert(batches.flatMap { $0 })
            if stored.deliveries > 0 { due.wake() }
            return batches.map(stored.count)
        }
    }

    func take(_ batch: EventBatch) async throws -> IntakeReceipt {
        guard !batch.events.isEmpty else { return IntakeReceipt(stored: 0) }
        let incoming = batch.events.map(IncomingEvent.init)
        let stored = try await self.batcher.submit(incoming)
        Counter(label: "webhooks_events_stored").increment(by: stored)
        for event in incoming where event.quarantine != nil { self.report(event) }
        return IntakeReceipt(stored: stored)
    }

    /// Of the first few; no value of the event is among them.
    private static func wording(_ faults: [Problem.Fault]) -> String {
        faults.prefix(5).map { "\($0.pointer) \($0.detail)" }.joined(separator: "; ")
    }

    /// A repeat of the batch reports again: an alert twice is better than one lost between commit and log.
    private func report(_ event: IncomingEvent) {
        Counter(label: "webhooks_events_quarantined").increment()
        self.logger.error(
            "Event quarantined",
            metadata: [
                "organization_id": "\(event.organizationID)",
                "event_id": "\(CleanText.line(event.id, limit: 64))",
                "event_type": "\(CleanText.line(event.type, limit: 64))",
                "reason": "\(event.quarantine?.rawValue ?? "")",
                "faults": "\(Self.wording(event.faults))",
            ]
        )
    }
}

/// An event on its way into the log.
struct IncomingEvent: Sendable {
    var organizationID: OrganizationID
    var id: String
    var type: String
    var event: Event
    var quarantine: EventCheck.Quarantine?

    /// Where its data is not what its type promises.
    var faults: [Problem.Fault] {
        guard self.quarantine == .schema, let type = EventType(rawValue: self.type) else { return [] }
        return EventCheck.faults(of: self.event.data, as: type)
    }

    init(_ entry: EventBatch.Entry) {
        self.organizationID = entry.organizationID
        self.event = entry.event
        self.quarantine = EventCheck.quarantine(entry.event)
        // Postgres takes no NUL in text, and an index no kilobytes of it; such an id or type is quarantined, under what can be kept of it.
        self.id = self.quarantine == .malformedID ? CleanText.line(entry.event.id, limit: 200) : entry.event.id
        self.type = self.quarantine == nil ? entry.event.type : CleanText.line(entry.event.type, limit: 200)
    }
}
