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
    private static let backoff = Backoff(base: .milliseconds(100), limit: .seconds(2))

    private let book: LedgerBook
    private let organizations: [Int64]
    private let events: Int
    private let ahead: Int
    private let client: ServiceClient
    private let left: Mutex<Int>
    private let counts = Mutex((taken: 0, stored: 0, repeats: 0))

    /// - organizations: of each endpoint.
    /// - ahead: events that may wait for their receiver.
    init(book: LedgerBook, organizations: [Int64], events: Int, ahead: Int, client: ServiceClient) {
        self.book = book
        self.organizations = organizations
        self.events = events
        self.ahead = ahead
        self.client = client
        self.left = Mutex(events)
    }

    /// As the relay of campaigns has it.
    static func relay(_ stack: Stack, _ client: HTTPClient) async throws -> ServiceClient {
        guard let key = await stack.internalKey(of: .campaigns, with: .webhooks) else { throw CancellationError() }
        return ServiceClient(
            from: .campaigns,
            to: .webhooks,
            replicas: [stack.settings.url(.webhooks)],
            identities: try IdentityKeys(service: .campaigns, keys: [.webhooks: [key]]),
            client: client
        )
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
            while self.book.published - self.book.taken >= self.ahead { try await Task.sleep(for: .milliseconds(20)) }
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
