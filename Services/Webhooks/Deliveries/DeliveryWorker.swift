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

    let queue: DeliveryQueue
    let sender: WebhookSender
    let schedule: RetrySchedule
    /// Woken when a lane that was full has room again.
    let due: WakeSignal
    /// Woken when a target has answered 410.
    let ended: WakeSignal
    let logger: Logger

    func loop(concurrency: Int, poll: Duration = Self.poll) -> WorkLoop<ClaimedDelivery> {
        WorkLoop(
            "deliveries",
            wake: self.due,
            poll: poll,
            concurrency: concurrency,
            logger: self.logger,
            claim: { limit in try await self.queue.claim(limit) },
            work: { delivery in try await self.deliver(delivery) },
            handBack: { delivery in try await self.queue.handBack(delivery) }
        )
    }

    func deliver(_ delivery: ClaimedDelivery) async throws {
        let result = try await self.sender.attempt(delivery)
        let chance = Double.random(in: -1...1)
        let step = DeliveryStep.after(result, failures: delivery.failures, schedule: self.schedule, chance: chance)
        let isOurs = try await self.settle(DeliverySettlement(delivery: delivery, result: result, step: step))
        if step == .gone { self.ended.wake() }
        if delivery.fillsLane { self.due.wakeHere() }
        self.record(delivery, result, step, isOurs: isOurs)
    }

    /// A target has been called: its answer is worth more than one try to write it down, for it would be called again otherwise.
    private func settle(_ settlement: DeliverySettlement) async throws -> Bool {
        let backoff = Backoff(base: .milliseconds(200), limit: .seconds(3))
        for failures in 1..<Self.settleTries {
            do {
                return try await self.queue.settle(settlement)
            } catch let error as DatabaseError where error.kind == .unavailable || error.kind == .connectionLost {
                try await Task.sleep(for: backoff.delay(afterFailures: failures))
            }
        }
        return try await self.queue.settle(settlement)
    }

    private func record(_ delivery: ClaimedDelivery, _ result: AttemptResult, _ step: DeliveryStep, isOurs: Bool) {
        let outcome = result.failure == nil ? "succeeded" : (step == .dead || step == .gone ? "dead" : "retry")
        Counter(label: "webhooks_attempts", dimensions: [("outcome", outcome)]).increment()
        Timer(label: "webhooks_attempt_duration").record(duration: result.duration)
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
                "outcome": "\(outcome)",
            ]
        )
    }
}
