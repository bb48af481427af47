import Foundation
import Logging
import Models
import ServiceKit
import Synchronization
import Transport

/// Brings events to webhooks as an outbox relay does: in batches, a few in flight, each again until it is answered 200.
final class LedgerPublisher: Sendable {
    /// As many as the relay sends at once.
    private static let batch = 100
    private static let lanes = 4
    /// Events that may wait for their receiver, so that intake goes on for as long as the run does and each fault meets both.
    private static let ahead = 20_000
    private static let backoff = Backoff(base: .milliseconds(100), limit: .seconds(2))

    private let book: LedgerBook
    private let organizations: [Int64]
    private let events: Int
    private let client: ServiceClient
    private let left: Mutex<Int>
    private let counts = Mutex((taken: 0, stored: 0, repeats: 0))

    /// - organizations: of each endpoint.
    init(book: LedgerBook, organizations: [Int64], events: Int, client: ServiceClient) {
        self.book = book
        self.organizations = organizations
        self.events = events
        self.client = client
        self.left = Mutex(events)
    }

    /// All batches were answered 200.
    var isThrough: Bool { self.counts.withLock { $0.taken == self.events } }
    /// Events that the answers called new: fewer than there are where an answer was lost, never more.
    var stored: Int { self.counts.withLock(\.stored) }
    /// Batches that were sent again.
    var repeats: Int { self.counts.withLock(\.repeats) }

    func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<Self.lanes { group.addTask { try await self.publish() } }
            try await group.waitForAll()
        }
    }

    private func publish() async throws {
        while true {
            while self.book.published - self.book.taken >= Self.ahead { try await Task.sleep(for: .milliseconds(20)) }
            let count = self.left.withLock { left in
                let count = min(left, Self.batch)
                left -= count
                return count
            }
            guard count > 0 else { return }
            let events = (0..<count).map { _ in self.event() }
            try await self.send(JSONValue.object(["events": .array(events)]).serialized(), of: count)
        }
    }

    private func event() -> JSONValue {
        let id = EventID.make("evt")
        let (number, endpoint) = self.book.add(id)
        return [
            "organization_id": .integer(self.organizations[endpoint]),
            "event": [
                "id": .string(id), "type": .string(EventType.campaignStarted.rawValue), "timestamp": .string(Timestamp.format(Date())),
                "data": [
                    "campaign_id": .integer(Int64(endpoint)), "name": "Ledger", "channel": "email", "recipients": .integer(Int64(number)),
                    "skipped": 0,
                ],
            ],
        ]
    }

    private func send(_ body: [UInt8], of events: Int) async throws {
        for failures in 1... {
            do {
                let receipt = try JSONCoding.decode(
                    IntakeReceipt.self,
                    from: try await self.client.callBytes(.takeEvents, [:], [], body, true)
                )
                return self.counts.withLock { counts in
                    counts.taken += events
                    counts.stored += receipt.stored
                }
            } catch let error as ServiceCallError where ![400, 409, 413, 415, 422].contains(error.status ?? 0) {
                self.counts.withLock { $0.repeats += 1 }
                try await Task.sleep(for: Self.backoff.delay(afterFailures: failures))
            }
        }
    }
}
