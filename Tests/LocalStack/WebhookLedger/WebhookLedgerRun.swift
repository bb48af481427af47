import Foundation
import Logging
import Models
import Transport

/// Events by the thousand through webhooks to targets that misbehave, while the service is killed and Postgres restarted; and the ledger
/// afterwards: what never arrived, and what arrived twice without reason.
package struct WebhookLedgerRun: Sendable {
    /// Each address of 127.0.1.0/24 can be one.
    package static let mostEndpoints = 250
    /// Five attempts: two more than the plan lets fail.
    package static let environment = [
        "WEBHOOK_RETRY_SCHEDULE": "0,0.2,1,5,10", "ZAPIER_WEBHOOK_TIMEOUT": "2", "OUTBOUND_ALLOW": "127.0.0.0/8",
    ]
    private static let organizations = 2
    /// Events that may wait for their receiver, so that intake goes on for as long as the run does and each fault meets both.
    private static let ahead = 20_000
    /// A run in which nothing is settled for so long is over.
    private static let patience = Duration.seconds(300)
    /// Between lines of progress.
    private static let interval = Duration.seconds(5)

    package let stack: Stack
    package var events: Int
    package var endpoints: Int
    package var kills: Int
    package var restarts: Int
    package var seed: UInt64
    /// Hears a line of progress every few seconds.
    package var report: @Sendable (String) -> Void

    package init(
        stack: Stack,
        events: Int,
        endpoints: Int,
        kills: Int,
        restarts: Int,
        seed: UInt64,
        report: @escaping @Sendable (String) -> Void
    ) {
        self.stack = stack
        self.events = events
        self.endpoints = endpoints
        self.kills = kills
        self.restarts = restarts
        self.seed = seed
        self.report = report
    }

    package func run() async throws -> WebhookLedger {
        let plan = LedgerPlan(seed: self.seed, endpoints: self.endpoints)
        let book = LedgerBook(plan)
        let receiver = try await LedgerReceiver.start(endpoints: self.endpoints, book: book)
        let client = HTTPClient(.inside(), logger: Logger(label: "ledger"))
        let result: Result<WebhookLedger, any Error>
        do {
            let owners = try await self.subscribe(receiver)
            let publisher = LedgerPublisher(
                book: book,
                organizations: owners,
                events: self.events,
                ahead: Self.ahead,
                client: try await LedgerPublisher.relay(self.stack, client)
            )
            result = .success(try await self.run(plan, book, publisher))
        } catch {
            result = .failure(error)
        }
        await client.shutdown(within: .zero)
        await receiver.stop()
        return try result.get()
    }

    /// A subscription for each endpoint, over the public API; endpoints are shared out among the organizations.
    /// - Returns: the organization of each endpoint.
    private func subscribe(_ receiver: LedgerReceiver) async throws -> [Int64] {
        try await PublicAPI.using(self.stack.settings.gatewayURL) { door in
            var members: [(api: PublicAPI, organization: Int64)] = []
            for number in 1...Self.organizations {
                let api = try await door.registered(as: "Ledger\(number)")
                members.append((api, try await api.call(.get, "/api/v1/auth/me")["organization"]?["id"]?.integerValue ?? 0))
            }
            var owners: [Int64] = []
            for endpoint in 0..<self.endpoints {
                let member = members[endpoint % members.count]
                try await member.api.call(
                    .post,
                    "/api/v1/zapier/webhooks",
                    [
                        "webhook_url": .string(receiver.url(of: endpoint)), "trigger_event": .string(EventType.campaignStarted.rawValue),
                        "filter": ["data.campaign_id": .integer(Int64(endpoint))],
                    ]
                )
                owners.append(member.organization)
            }
            return owners
        }
    }

    // MARK: - The run

    private func run(_ plan: LedgerPlan, _ book: LedgerBook, _ publisher: LedgerPublisher) async throws -> WebhookLedger {
        let database = LedgerDatabase(postgres: self.stack.postgres)
        let faults = LedgerFaults(stack: self.stack, book: book, database: database, events: self.events)
        let start = ContinuousClock.now
        let isStalled = try await withThrowingTaskGroup(of: Bool?.self) { group in
            group.addTask {
                async let published: Void = publisher.run()
                try await faults.run(plan.faults(kills: self.kills, restarts: self.restarts))
                try await published
                return nil
            }
            group.addTask {
                try await self.watch(book, database, faults, since: start) {
                    publisher.isThrough && faults.strikes.count == self.kills + self.restarts
                }
            }
            defer { group.cancelAll() }
            while let ended = try await group.next() {
                if let ended { return ended }
            }
            return true
        }
        var ledger = WebhookLedger(
            totals: book.totals(),
            counts: try await database.counts(),
            strikes: faults.strikes,
            seconds: (ContinuousClock.now - start) / .seconds(1)
        )
        ledger.isStalled = isStalled
        ledger.toldStored = publisher.stored
        ledger.batchesAgain = publisher.repeats
        ledger.misdelivered = try await database.misdelivered()
        for id in (ledger.totals.lost.prefix(3) + ledger.totals.unexcused.prefix(10)) {
            ledger.stories.append("\(id): \(try await database.story(of: id))")
        }
        return ledger
    }

    /// - Returns: whether the run came to a halt before its end.
    private func watch(
        _ book: LedgerBook,
        _ database: LedgerDatabase,
        _ faults: LedgerFaults,
        since start: ContinuousClock.Instant,
        isThrough: () -> Bool
    ) async throws -> Bool {
        var (settled, moved, told) = (-1, ContinuousClock.now, ContinuousClock.now)
        while true {
            try await Task.sleep(for: .seconds(1))
            let wasThrough = isThrough()
            // Postgres may just be away.
            guard let counts = try? await database.counts() else { continue }
            if counts.succeeded + counts.dead != settled { (settled, moved) = (counts.succeeded + counts.dead, .now) }
            if wasThrough, counts.waiting == 0 { return false }
            if ContinuousClock.now - moved > Self.patience { return true }
            guard ContinuousClock.now - told >= Self.interval else { continue }
            told = .now
            let seconds = Int((ContinuousClock.now - start) / .seconds(1))
            self.report(
                "\(seconds) s: published \(book.published), taken \(book.taken), settled \(settled), in the queue \(counts.waiting), "
                    + "faults \(faults.strikes.count) of \(self.kills + self.restarts)"
            )
        }
    }
}
