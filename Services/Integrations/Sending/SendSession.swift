import Database
import Logging
import Metrics
import Models
import ServiceKit
import ServiceLifecycle
import Synchronization

/// One batch on its way: claims its keys, sends what is its own, answers what was settled before.
///
/// Stopping (the asker has gone, the process shuts down) lets what has begun settle and hands the rest back.
final class SendSession: Sendable {
    /// What all sessions share.
    struct House: Sendable {
        let store: OutboundStore
        let ledger: MessageLedger
        let lanes: Lanes
        let health: ConnectionHealth
        let logger: Logger
        /// Longest that a call may take: shorter than the lease by what beginning takes.
        var callLimit: Duration { self.store.lease * 0.85 }
        /// How often, and how far apart, keys in somebody else's hand are looked at before they are answered as in flight.
        var heldKeyLooks = 10
        var heldKeyPause = Duration.milliseconds(200)
    }

    private struct Item {
        let key: HeldKey
        let message: EmailMessage
    }

    private struct State {
        var waiting: ArraySlice<Item> = []
        var isStopped = false
        /// The result that made the rest pointless.
        var halt: SendResult?
    }

    let outcomes: AsyncStream<SendOutcome>
    private let answers: AsyncStream<SendOutcome>.Continuation
    private let state = Mutex(State())
    private let house: House
    private let sender: any MailSender
    private let connection: Connection
    private let messages: [String: EmailMessage]
    private let claim: OutboundStore.Claim

    /// - messages: with send keys that differ.
    init(_ messages: [EmailMessage], over connection: Connection, by sender: any MailSender, house: House) {
        (self.outcomes, self.answers) = AsyncStream.makeStream()
        self.house = house
        self.sender = sender
        self.connection = connection
        self.messages = Dictionary(messages.map { ($0.sendKey, $0) }, uniquingKeysWith: { first, _ in first })
        self.claim = OutboundStore.Claim(
            organizationID: connection.integration.organizationID,
            integrationID: connection.integration.id,
            provider: connection.integration.provider,
            owner: EventID.make("own")
        )
    }

    /// Begins nothing more.
    func stop() { self.state.withLock { $0.isStopped = true } }

    func run() async {
        await withGracefulShutdownHandler {
            do {
                try await self.work()
            } catch {
                // Lines that are missing are asked for again; the rows tell what happened.
                self.house.logger.warning(
                    "a batch broke off",
                    metadata: [
                        "organization_id": "\(self.claim.organizationID)", "error": "\(ProviderText.clean(String(describing: error)))",
                    ]
                )
            }
        } onGracefulShutdown: {
            self.stop()
        }
        self.answers.finish()
    }

    private func work() async throws {
        var keys = Array(self.messages.keys)
        for look in 1...self.house.heldKeyLooks {
            let claimed = try await self.house.store.claim(keys, for: self.claim)
            for known in claimed.known { if let outcome = known.settled { self.answers.yield(outcome) } }
            await self.send(claimed.held)
            let elsewhere = claimed.known.filter { $0.settled == nil }
            keys = elsewhere.map(\.sendKey)
            if keys.isEmpty || self.isOver { return elsewhere.forEach { self.answers.yield($0.inFlight) } }
            if look == self.house.heldKeyLooks { return elsewhere.forEach { self.answers.yield($0.inFlight) } }
            try await Task.sleep(for: self.house.heldKeyPause)
        }
    }

    private var isOver: Bool { self.state.withLock { $0.isStopped || $0.halt != nil } }

    // MARK: Sending

    private func send(_ held: [HeldKey]) async {
        let items = held.compactMap { key in self.messages[key.sendKey].map { Item(key: key, message: $0) } }
        self.state.withLock { $0.waiting = items[...] }
        let lane = self.sender.lane(for: self.connection)
        await withDiscardingTaskGroup { group in
            for _ in 0..<min(lane.width, items.count) { group.addTask { await self.serve(lane) } }
        }
        await self.handBack()
    }

    private func next() -> Item? {
        self.state.withLock { $0.isStopped || $0.halt != nil ? nil : $0.waiting.popFirst() }
    }

    private func serve(_ lane: MailLane) async {
        while !self.isOver {
            await self.house.lanes.enter(lane)
            // Taken only now: what waits for a place has not been picked up and can be handed back.
            guard let item = self.next() else { return self.house.lanes.leave(lane) }
            let result = await self.deliver(item)
            self.house.lanes.leave(lane)
            if let result { self.answers.yield(result.line(for: item.key.sendKey)) }
        }
    }

    /// - Returns: nil where nothing certain can be told: the key was taken over, or the database stayed away.
    private func deliver(_ item: Item) async -> SendResult? {
        let clock = ContinuousClock()
        // Read before the statement goes out: Postgres's lease begins later, so this deadline is never too late.
        let deadline = clock.now + self.house.store.lease
        do {
            guard try await self.house.ledger.begin(item.key) else { return nil }
        } catch {
            // The commit's answer may have been lost: if it did begin, no call was made.
            let result = SendResult(.notSent, reason: "database", retryAfter: 5, halts: true)
            self.note(result)
            return await self.house.ledger.settle(item.key, result) ? result : nil
        }
        let limit = self.house.callLimit
        let result =
            clock.now + limit < deadline
            ? await self.sender.send(item.message, over: self.connection, within: limit)
            : SendResult(.notSent, reason: "lease_too_short", retryAfter: 1)
        self.note(result)
        let isStored = await self.house.ledger.settle(item.key, result)
        Counter(
            label: "integrations_messages",
            dimensions: [("provider", self.claim.provider), ("outcome", result.outcome.rawValue)]
        ).increment()
        if result.isUnauthorized { await self.reportRefusal(result) }
        return isStored ? result : nil
    }

    private func note(_ result: SendResult) {
        guard result.halts else { return }
        self.state.withLock { $0.halt = $0.halt ?? result }
    }

    private func reportRefusal(_ result: SendResult) async {
        let reason = result.detail ?? result.reason ?? "The provider refuses the credentials."
        do {
            try await self.house.health.needsAttention(self.claim.integrationID, in: self.claim.organizationID, because: reason)
        } catch {
            self.house.logger.warning(
                "an integration's refusal was not stored; the next message finds it again",
                metadata: ["organization_id": "\(self.claim.organizationID)", "integration_id": "\(self.claim.integrationID)"]
            )
        }
    }

    /// What never began may be claimed at once by whoever asks next. After a halt it is answered, so that the asker knows when to.
    private func handBack() async {
        let (left, halt) = self.state.withLock { state in
            let left = Array(state.waiting)
            state.waiting = []
            return (left, state.halt)
        }
        guard !left.isEmpty else { return }
        do {
            try await self.house.store.release(left.map(\.key))
        } catch {
            self.house.logger.warning(
                "queued messages were not handed back; their lease ends by itself",
                metadata: ["organization_id": "\(self.claim.organizationID)", "messages": "\(left.count)"]
            )
            return
        }
        guard let halt else { return }
        let answer = SendResult(.notSent, reason: halt.reason, detail: halt.detail, retryAfter: halt.retryAfter)
        for item in left { self.answers.yield(answer.line(for: item.key.sendKey)) }
    }
}
