import Database
import Foundation
import Logging
import Metrics
import Models
import ServiceKit

/// Renders claimed batches, posts them to integrations and writes the outcomes as they arrive.
struct Dispatcher: Sendable {
    struct Limits: Sendable {
        /// Of a claim; the calls of a batch end at three quarters of it.
        var lease: Duration
        var refusals: Int
        /// POSTs of one batch that may break or leave messages unanswered before it is handed back.
        var failures = 3
        var bodyBytes = 8 << 20
        /// How long outcomes gather before they are written together.
        var gather: Duration = .milliseconds(50)
        /// Wait after the first failure; it grows with the next.
        var retryDelay: Duration = .milliseconds(250)
        /// Seconds before what was handed back unanswered may be claimed again.
        var handBackDelay: Double = 1
    }

    let claims: ClaimStore
    let settlements: SettlementStore
    let completion: Completion
    let exchange: SendExchange
    let sizer: BatchSizer
    let rules: SettlementRules
    let limits: Limits
    let logger: Logger

    func loop(wake: WakeSignal, concurrency: Int) -> WorkLoop<ClaimedBatch> {
        WorkLoop(
            "dispatch",
            wake: wake,
            poll: .seconds(1),
            concurrency: concurrency,
            logger: self.logger,
            claim: { limit in try await self.claim(limit) },
            work: { batch in try await self.send(batch) },
            handBack: { batch in try await self.settlements.release(batch, after: 0, asked: true) }
        )
    }

    /// Asks about messages in doubt: integrations answer from their rows, which a provider's event or look-up may have corrected.
    func doubtLoop(wake: WakeSignal) -> WorkLoop<ClaimedBatch> {
        WorkLoop(
            "doubts",
            wake: wake,
            poll: .seconds(2),
            concurrency: 1,
            logger: self.logger,
            claim: { _ in try await self.claims.claimDoubts(limit: 100).map { [$0] } ?? [] },
            work: { batch in try await self.send(batch) }
        )
    }

    private func claim(_ limit: Int) async throws -> [ClaimedBatch] {
        var batches: [ClaimedBatch] = []
        while batches.count < limit, let batch = try await self.claims.claim() { batches.append(batch) }
        return batches
    }

    func send(_ batch: ClaimedBatch) async throws {
        let progress = BatchProgress(batch.messages, from: batch.state, rules: self.rules)
        guard let rendered = try await self.render(batch, progress) else { return }
        let delay = try await self.post(rendered, of: batch, progress)
        if !progress.openKeys.isEmpty {
            try await self.persist(batch) { try await self.settlements.release(batch, after: delay, asked: progress.mayBeTaken) }
        }
        _ = try await self.completion.complete(batch.campaign)
    }

    /// The JSON of each message by its key; nil when the templates themselves are at fault.
    private func render(_ batch: ClaimedBatch, _ progress: BatchProgress) async throws -> [String: [UInt8]]? {
        let writer: MessageWriter
        do {
            writer = try MessageWriter(batch.letter)
        } catch {
            // Templates are checked when they are saved: only a changed set of variables leads here.
            try await self.settlements.release(batch, after: 0, asked: false)
            let reason = error.faults.first?.description ?? "the template is at fault"
            try await self.settlements.refuse(batch.campaign, reason: "The template cannot be rendered: \(reason)", limit: 1)
            return nil
        }
        var rendered: [String: [UInt8]] = [:]
        rendered.reserveCapacity(batch.messages.count)
        for message in batch.messages {
            if message.isContactDeleted {
                if batch.state == .claimed { progress.settle(message, .skipped, reason: "contact_deleted") } else { progress.drop(message) }
            } else if let json = writer.json(of: message) {
                rendered[message.sendKey] = json
            } else {
                progress.settle(message, .failed, reason: "too_large")
            }
        }
        try await self.flush(progress, batch)
        return rendered
    }

    /// Posts what is open until all is settled, the batch is refused, or its time is over. Answers the seconds before what is still open may
    /// be claimed again.
    private func post(_ rendered: [String: [UInt8]], of batch: ClaimedBatch, _ progress: BatchProgress) async throws -> Double {
        var delay = self.limits.handBackDelay
        var failures = 0
        while case let open = progress.openKeys, !open.isEmpty {
            guard self.timeLeft(of: batch) > .milliseconds(500) else { return delay }
            let messages = batch.messages.filter { open.contains($0.sendKey) }.compactMap { rendered[$0.sendKey] }
            let end = try await self.postOnce(messages, of: batch, progress)
            switch end {
            case .unreachable(let retryAfter), .unavailable(_, let retryAfter): return try await self.gaveUp(end, batch, retryAfter)
            case .refused(let detail): return try await self.refused(detail, batch)
            case .complete, .broken: break
            }
            if let refusal = progress.refusal { return try await self.refused(refusal, batch) }
            if let wait = progress.takeAskAgain(), end == .complete {
                delay = max(wait, 0.2)
                guard await self.rest(.seconds(delay), before: batch) else { return delay }
            } else if !progress.openKeys.isEmpty {
                failures += 1
                guard failures < self.limits.failures else { return try await self.gaveUp(end, batch, nil) }
                guard await self.rest(self.limits.retryDelay * failures, before: batch) else { return delay }
            }
        }
        return delay
    }

    /// One round over all bodies of what is open; the first that does not end well ends the round.
    private func postOnce(
        _ messages: [[UInt8]],
        of batch: ClaimedBatch,
        _ progress: BatchProgress
    ) async throws -> SendExchange.End {
        let start = ContinuousClock.now
        let before = progress.settledCount
        let (bell, ring) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let bodies = MessageWriter.bodies(messages, of: batch, limit: self.limits.bodyBytes)
        let end = try await withThrowingTaskGroup(of: SendExchange.End?.self) { group in
            group.addTask {
                defer { ring.finish() }
                var end = SendExchange.End.complete
                for body in bodies where end == .complete {
                    end = try await self.exchange.post(body, within: max(self.timeLeft(of: batch), .milliseconds(100))) { outcomes in
                        for outcome in outcomes { progress.take(outcome) }
                        ring.yield()
                    }
                    progress.note(end)
                }
                return end
            }
            group.addTask {
                for await _ in bell {
                    try await Task.sleep(for: self.limits.gather)
                    try await self.flush(progress, batch)
                }
                return nil
            }
            var end = SendExchange.End.complete
            while let result = try await group.next() { end = result ?? end }
            return end
        }
        try await self.flush(progress, batch)
        if end == .complete, progress.refusal == nil {
            try await self.wentThrough(batch, count: progress.settledCount - before, in: ContinuousClock.now - start)
        }
        return end
    }

    private func flush(_ progress: BatchProgress, _ batch: ClaimedBatch) async throws {
        let settlements = progress.drain()
        guard !settlements.isEmpty else { return }
        let written = try await self.persist(batch) {
            try await self.settlements.apply(settlements, to: batch.campaign, from: batch.state)
        }
        for (state, group) in Dictionary(grouping: settlements, by: \.state) {
            Counter(label: "campaign_messages_settled", dimensions: [("state", state.rawValue)]).increment(by: group.count)
        }
        if written < settlements.count {
            self.logger.notice(
                "Outcomes came after the claim was lost",
                metadata: self.metadata(batch, ["count": "\(settlements.count - written)"])
            )
        }
    }

    /// Tries again while the database is away and the claim lasts: what was told is written rather than asked for again. The fence makes
    /// a second write of the same harmless.
    private func persist<Value: Sendable>(_ batch: ClaimedBatch, _ write: () async throws -> Value) async throws -> Value {
        while true {
            do {
                return try await write()
            } catch let error as DatabaseError where [.unavailable, .connectionLost, .timedOut].contains(error.kind) || error.isRetryable {
                self.logger.notice("Writing outcomes is tried again", metadata: ["error": "\(error)"])
                guard await self.rest(.milliseconds(500), before: batch) else { throw error }
            }
        }
    }

    private func wentThrough(_ batch: ClaimedBatch, count: Int, in time: Duration) async throws {
        self.sizer.record(count, in: time, for: batch.letter.integrationID)
        if batch.letter.refusals > 0 { try await self.settlements.forgive(batch.campaign) }
    }

    private func refused(_ detail: String, _ batch: ClaimedBatch) async throws -> Double {
        self.logger.warning("Integrations refused a batch", metadata: self.metadata(batch, ["detail": "\(detail)"]))
        try await self.settlements.refuse(
            batch.campaign,
            reason: "The integration refuses to send: \(detail)",
            limit: self.limits.refusals
        )
        return self.limits.handBackDelay
    }

    private func gaveUp(_ end: SendExchange.End, _ batch: ClaimedBatch, _ retryAfter: Double?) async throws -> Double {
        self.logger.warning("A batch is handed back", metadata: self.metadata(batch, ["end": "\(end)"]))
        guard end != .complete else { return self.limits.handBackDelay }
        // Other batches of the campaign would fare no better.
        let delay = max(2, retryAfter ?? 0)
        try await self.settlements.hold(batch.campaign, for: delay)
        return delay
    }

    private func metadata(_ batch: ClaimedBatch, _ more: Logger.Metadata) -> Logger.Metadata {
        more.merging(["organization_id": "\(batch.campaign.organization)", "campaign_id": "\(batch.campaign.id)"]) { $1 }
    }

    private func timeLeft(of batch: ClaimedBatch) -> Duration {
        self.limits.lease * 0.75 - batch.claimedAt.duration(to: .now)
    }

    /// False when the batch's time would be over before the rest.
    private func rest(_ duration: Duration, before batch: ClaimedBatch) async -> Bool {
        guard duration < self.timeLeft(of: batch) else { return false }
        do {
            try await Task.sleep(for: duration)
            return true
        } catch {
            return false
        }
    }
}
