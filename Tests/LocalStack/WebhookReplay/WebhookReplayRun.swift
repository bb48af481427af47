import Foundation
import Logging
import Models
import Transport

/// A replay of events that were never delivered, killed twice on its way; and the ledger afterwards: what never arrived, and what was sent again
/// although it had succeeded.
package struct WebhookReplayRun: Sendable {
    /// Many attempts under way at once, so that a kill meets many; leases that end soon.
    package static let environment = [
        "ZAPIER_WEBHOOK_TIMEOUT": "2", "OUTBOUND_ALLOW": "127.0.0.0/8", "WEBHOOK_CONCURRENCY_PER_SUBSCRIPTION": "64",
    ]
    /// A replay that does not move for so long is over.
    private static let patience = Duration.seconds(120)

    package let stack: Stack
    package var events: Int
    /// Hears a line of progress every few seconds.
    package var report: @Sendable (String) -> Void

    package init(stack: Stack, events: Int, report: @escaping @Sendable (String) -> Void) {
        self.stack = stack
        self.events = events
        self.report = report
    }

    package func run() async throws -> WebhookReplay {
        let book = LedgerBook(LedgerPlan(seed: 0, endpoints: 1, isKind: true))
        let receiver = try await LedgerReceiver.start(endpoints: 1, book: book)
        let result: Result<WebhookReplay, any Error>
        do {
            result = .success(
                try await PublicAPI.using(self.stack.settings.gatewayURL) { door in
                    try await self.run(try await door.registered(as: "Replay"), book, receiver)
                }
            )
        } catch {
            result = .failure(error)
        }
        await receiver.stop()
        return try result.get()
    }

    private func run(_ api: PublicAPI, _ book: LedgerBook, _ receiver: LedgerReceiver) async throws -> WebhookReplay {
        let database = LedgerDatabase(postgres: self.stack.postgres)
        let from = Date()
        try await self.publish(api, book)
        let to = Date() + 1
        let subscription = try await self.subscribe(api, receiver)
        let start = ContinuousClock.now
        let made = try await ReplayJob.create(api, subscription: subscription, from: from, to: to)
        let kills = ReplayKills(stack: self.stack, book: book, database: database, replay: made.id, events: self.events)
        let first = try await self.watch(made, kills, api)
        let seconds = (ContinuousClock.now - start) / .seconds(1)
        let again = try await ReplayJob.create(api, subscription: subscription, from: from, to: to)
        let second = try await self.watch(again, api) { true }
        return WebhookReplay(
            totals: book.totals(),
            counts: try await database.counts(),
            replay: first.job,
            second: second.job,
            strikes: kills.strikes,
            misdelivered: try await database.misdelivered(),
            seconds: seconds,
            isStalled: first.isStalled || second.isStalled
        )
    }

    /// All events, before anyone has subscribed to them.
    private func publish(_ api: PublicAPI, _ book: LedgerBook) async throws {
        let organization = try await api.call(.get, "/api/v1/auth/me")["organization"]?["id"]?.integerValue ?? 0
        let client = HTTPClient(.inside(), logger: Logger(label: "replay"))
        let result: Result<Void, any Error>
        do {
            let publisher = LedgerPublisher(
                book: book,
                organizations: [organization],
                events: self.events,
                ahead: .max,
                client: try await LedgerPublisher.relay(self.stack, client)
            )
            result = .success(try await publisher.run())
        } catch {
            result = .failure(error)
        }
        await client.shutdown(within: .zero)
        return try result.get()
    }

    private func subscribe(_ api: PublicAPI, _ receiver: LedgerReceiver) async throws -> Int64 {
        let body: JSONValue = [
            "webhook_url": .string(receiver.url(of: 0)), "trigger_event": .string(EventType.campaignStarted.rawValue),
        ]
        return try await api.call(.post, "/api/v1/zapier/webhooks", body)["id"]?.integerValue ?? 0
    }

    // MARK: - The watch

    private func watch(_ replay: ReplayJob, _ kills: ReplayKills, _ api: PublicAPI) async throws -> (job: ReplayJob, isStalled: Bool) {
        try await withThrowingTaskGroup(of: (job: ReplayJob, isStalled: Bool)?.self) { group in
            group.addTask {
                try await kills.run()
                return nil
            }
            group.addTask { try await self.watch(replay, api) { kills.strikes.count == ReplayKills.count } }
            defer { group.cancelAll() }
            while let ended = try await group.next() {
                if let ended { return ended }
            }
            return (replay, true)
        }
    }

    /// Until the replay is through, or does not move any more.
    private func watch(
        _ replay: ReplayJob,
        _ api: PublicAPI,
        isStruck: () -> Bool
    ) async throws -> (job: ReplayJob, isStalled: Bool) {
        let start = ContinuousClock.now
        var (last, moved, asked) = (replay, start, 0)
        while true {
            try await Task.sleep(for: .seconds(1))
            let wasStruck = isStruck()
            if let job = try await ReplayJob.find(replay.id, api) {
                if job.lookedAt != last.lookedAt || job.succeeded != last.succeeded { moved = .now }
                last = job
                if wasStruck, job.isThrough { return (job, false) }
            }
            if ContinuousClock.now - moved > Self.patience { return (last, true) }
            asked += 1
            guard asked.isMultiple(of: 5) else { continue }
            let seconds = Int((ContinuousClock.now - start) / .seconds(1))
            self.report(
                "\(seconds) s: \(last.state), made \(last.made) of \(last.total), succeeded \(last.succeeded), waiting \(last.waiting)"
            )
        }
    }
}
