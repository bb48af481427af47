import Database
import Logging
import Metrics
import Models
import ServiceKit

/// Takes claimed deliveries to their targets.
struct DeliveryWorker: Sendable {
    /// Tries to write down what an attempt came to, over about ten seconds: less than the lease has left after the longest attempt.
    static let settleTries = 6
    /// How soon a delivery whose time has come is noticed, where no wake-up tells of it.
    static let poll = Duration.milliseconds(500)

    /// Settlements in one transaction, and such transactions at once.
    private static let batch = (limit: 256, writers: 1)
    /// Between claims, so that each takes many: under load this is what is waited for a turn.
    private static let claimInterval = Duration.milliseconds(4) ... .milliseconds(24)

    let queue: DeliveryQueue
    let sender: WebhookSender
    /// Of subscriptions that have none of their own.
    let schedule: RetrySchedule
    /// Woken when there may be deliveries to make.
    let due: WakeSignal
    let logger: Logger
    /// Most of them, and those that lock event heads: who waits for a head that is held keeps no others waiting.
    private let settlements: Batcher<DeliverySettlement, Bool>
    private let settlementsWithHead: Batcher<DeliverySettlement, Bool>
    private let metrics = AttemptMetrics()

    init(
        queue: DeliveryQueue,
        sender: WebhookSender,
        settlements store: SettlementStore,
        schedule: RetrySchedule,
        due: WakeSignal,
        logger: Logger
    ) {
        self.queue = queue
        self.sender = sender
        self.schedule = schedule
        self.due = due
        self.logger = logger
        let write: @Sendable ([DeliverySettlement]) async throws -> [Bool] = { try await Self.settle($0, store) }
        self.settlements = Batcher(limit: Self.batch.limit, writers: Self.batch.writers, write: write)
        self.settlementsWithHead = Batcher(limit: Self.batch.limit, writers: Self.batch.writers, write: write)
    }

    func loop(concurrency: Int, poll: Duration = Self.poll) -> WorkLoop<ClaimedDelivery> {
        var loop = WorkLoop(
            "deliveries",
            wake: self.due,
            poll: poll,
            concurrency: concurrency,
            logger: self.logger,
            claim: { limit in
                let (deliveries, hasMore) = try await self.queue.claim(limit)
                if hasMore { self.due.wakeHere() }
                return deliveries
            },
            work: { delivery in try await self.deliver(delivery) },
            handBack: { delivery in try await self.queue.handBack(delivery) }
        )
        loop.claimInterval = Self.claimInterval
        return loop
    }

    func deliver(_ delivery: ClaimedDelivery) async throws {
        let result = try await self.sender.attempt(delivery)
        let step = DeliveryStep.after(
            result,
            of: delivery,
            schedule: self.schedule,
            chance: result.failure == nil ? 0 : Double.random(in: -1...1)
        )
        let settlement = DeliverySettlement(delivery: delivery, result: result, step: step)
        let isOurs = try await (settlement.concernsHead ? self.settlementsWithHead : self.settlements).submit(settlement)
        if delivery.fillsLane || delivery.orderingKey != nil { self.due.wakeHere() }
        self.record(delivery, result, step, isOurs: isOurs)
    }

    /// Targets have been called: their answers are worth more than one try to write them down, for they would be called again otherwise.
    private static func settle(_ settlements: [DeliverySettlement], _ store: SettlementStore) async throws -> [Bool] {
        let backoff = Backoff(base: .milliseconds(200), limit: .seconds(3))
        for failures in 1..<Self.settleTries {
            do {
                return try await store.settle(settlements)
            } catch let error as DatabaseError where error.passes {
                try await Task.sleep(for: backoff.delay(afterFailures: failures))
            }
        }
        return try await store.settle(settlements)
    }

    private func record(_ delivery: ClaimedDelivery, _ result: AttemptResult, _ step: DeliveryStep, isOurs: Bool) {
        let outcome: AttemptMetrics.Outcome = result.failure == nil ? .succeeded : (step == .dead || step == .gone ? .dead : .retry)
        self.metrics.record(outcome, result.duration)
        guard result.failure != nil || !isOurs else { return }
        // A target's failure is its owner's affair and in the log of deliveries; a sealed row is the operator's.
        let level: Logger.Level = result.failure == .sealed ? .error : .info
        self.logger.log(
            level: level,
            isOurs ? "Delivery attempt failed" : "Delivery attempt outlived its lease",
            metadata: [
                "organization_id": "\(delivery.organizationID)",
                "delivery_id": "\(delivery.id)",
                "subscription_id": "\(delivery.subscriptionID)",
                "event_id": "\(delivery.eventID)",
                "attempt": "\(delivery.attempt)",
                "error": "\(result.failure?.rawValue ?? "")",
                "outcome": "\(outcome.rawValue)",
            ]
        )
    }
}

/// Kept: looking a series up costs more than counting.
private struct AttemptMetrics: Sendable {
    enum Outcome: String { case succeeded, retry, dead }

    private let succeeded = Self.counter(.succeeded)
    private let retry = Self.counter(.retry)
    private let dead = Self.counter(.dead)
    private let duration = Timer(label: "webhooks_attempt_duration")

    func record(_ outcome: Outcome, _ duration: Duration) {
        switch outcome {
        case .succeeded: self.succeeded.increment()
        case .retry: self.retry.increment()
        case .dead: self.dead.increment()
        }
        self.duration.record(duration: duration)
    }

    private static func counter(_ outcome: Outcome) -> Counter {
        Counter(label: "webhooks_attempts", dimensions: [("outcome", outcome.rawValue)])
    }
}

extension DatabaseError {
    /// Another try may do: no connection, or somebody else held a row for too long (lock_not_available).
    fileprivate var passes: Bool {
        self.kind == .unavailable || self.kind == .connectionLost || self.kind == .timedOut || self.sqlState == "55P03"
    }
}
