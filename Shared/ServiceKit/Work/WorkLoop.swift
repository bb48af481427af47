import Database
package import Logging
import Metrics
import ServiceLifecycle
import Synchronization

/// Claims work and does it, a bounded number at once, until graceful shutdown; then it waits for what is in hand (and cancels it when
/// the grace is over) and hands the rest back. A claim must be a fenced UPDATE … FOR UPDATE SKIP LOCKED.
package struct WorkLoop<Item: Sendable>: Service {
    let name: String
    let wake: WakeSignal
    let poll: Duration
    let concurrency: Int
    let logger: Logger
    let claim: @Sendable (_ limit: Int) async throws -> [Item]
    let work: @Sendable (Item) async throws -> Void
    let handBack: (@Sendable (Item) async throws -> Void)?
    /// How long work in hand may go on after a graceful shutdown began.
    package var grace: Duration = .seconds(15)
    package var backoff = Backoff()
    /// From one claim to the next, so that each takes what has come together meanwhile: the shortest time at least, and twice as long as the
    /// claim took, up to the longest, so that under load less is spent on claiming.
    package var claimInterval: ClosedRange<Duration> = .zero ... .zero
    /// Kept: looking a series up costs more than counting.
    private let done: Metrics.Counter
    private let duration: Metrics.Timer

    /// - claim: takes at most `limit` items; fewer than that means that nothing more is due.
    /// - work: an error is logged and counted; what becomes of the item is the closure's own matter (its row, its lease).
    /// - handBack: gives up a claim that shutdown left undone or cancelled, so that another replica need not wait for its lease.
    package init(
        _ name: String,
        wake: WakeSignal,
        poll: Duration,
        concurrency: Int,
        logger: Logger,
        claim: @escaping @Sendable (_ limit: Int) async throws -> [Item],
        work: @escaping @Sendable (Item) async throws -> Void,
        handBack: (@Sendable (Item) async throws -> Void)? = nil
    ) {
        self.name = name
        self.wake = wake
        self.poll = poll
        self.concurrency = max(1, concurrency)
        self.logger = logger
        self.claim = claim
        self.work = work
        self.handBack = handBack
        self.done = Metrics.Counter(label: Self.items, dimensions: [("loop", name), ("outcome", "done")])
        self.duration = Metrics.Timer(label: "work_duration", dimensions: [("loop", name)])
    }

    private static var items: String { "work_items" }

    package func run() async throws {
        let state = WorkLoopState()
        let bell = Doorbell()
        self.wake.add(bell) {
            state.update { $0.isDue = true }
            bell.ring()
        }
        defer { self.wake.remove(bell) }
        try await withGracefulShutdownHandler {
            try await withThrowingDiscardingTaskGroup { group in
                group.addTask { await self.ringOnPoll(state, bell) }
                group.addTask { await self.ringOnNotification(state, bell) }
                try await self.claimUntilStopped(state, bell, &group)
                try await self.waitForWorkInHand(state, bell, &group)
                group.cancelAll()
            }
        } onGracefulShutdown: {
            state.update { $0.isStopping = true }
            bell.ring()
        }
    }

    private func claimUntilStopped(
        _ state: WorkLoopState,
        _ bell: Doorbell,
        _ group: inout ThrowingDiscardingTaskGroup<any Error>
    ) async throws {
        var rings = bell.rings.makeAsyncIterator()
        while !state.snapshot.isStopping {
            let free = self.concurrency - state.snapshot.inHand
            guard free > 0, state.takeDue() else {
                guard await rings.next() != nil else { throw CancellationError() }
                continue
            }
            await self.rest(state)
            guard !state.snapshot.isStopping else { break }
            let limit = self.concurrency - state.snapshot.inHand
            let items = await self.claimOnce(limit, state)
            try Task.checkCancellation()
            for item in items {
                state.update { $0.inHand += 1 }
                group.addTask { await self.handle(item, state, bell) }
            }
            if items.count >= limit { state.update { $0.isDue = true } }
        }
    }

    private func claimOnce(_ limit: Int, _ state: WorkLoopState) async -> [Item] {
        do {
            let started = ContinuousClock.now
            let items = try await self.claim(limit)
            let interval = min(max(self.claimInterval.lowerBound, (ContinuousClock.now - started) * 2), self.claimInterval.upperBound)
            state.update { state in
                state.claimFailures = 0
                if interval > .zero, !items.isEmpty { state.restUntil = max(state.restUntil, started + interval) }
            }
            return items
        } catch {
            guard !Task.isCancelled else { return [] }
            let failures = state.update { state in
                state.claimFailures += 1
                state.isDue = true
                state.restUntil = .now + self.backoff.delay(afterFailures: state.claimFailures)
                return state.claimFailures
            }
            self.count("claim_failed")
            self.logger.warning(
                "Claiming work failed",
                metadata: ["loop": "\(self.name)", "failures": "\(failures)", "error": "\(error)"]
            )
            return []
        }
    }

    /// After failures the loop rests, longer each time; a shutdown ends the rest at once.
    private func rest(_ state: WorkLoopState) async {
        let until = state.snapshot.restUntil
        guard until > .now, !state.snapshot.isStopping else { return }
        await cancelWhenGracefulShutdown {
            // A cancelled rest is over.
            try? await Task.sleep(until: until, clock: .continuous)
        }
    }

    private func handle(_ item: Item, _ state: WorkLoopState, _ bell: Doorbell) async {
        let start = ContinuousClock.now
        do {
            if state.snapshot.isStopping, let handBack {
                try await handBack(item)
                self.count("handed_back")
            } else {
                try await self.work(item)
                self.done.increment()
            }
        } catch {
            await self.settle(item, after: error, state)
        }
        self.duration.record(duration: ContinuousClock.now - start)
        let isWaitedFor = state.update { state in
            state.inHand -= 1
            return state.isDue || state.isStopping
        }
        if isWaitedFor { bell.ring() }
    }

    private func settle(_ item: Item, after error: any Error, _ state: WorkLoopState) async {
        guard state.snapshot.isGraceOver || Task.isCancelled else {
            state.update { state in
                state.workFailures += 1
                state.restUntil = .now + self.backoff.delay(afterFailures: state.workFailures)
            }
            self.count("failed")
            self.logger.error("Work failed", metadata: ["loop": "\(self.name)", "error": "\(String(reflecting: error))"])
            return
        }
        self.count("cancelled")
        do {
            // The end of the grace cancelled this task, but not the handing back.
            try await Task { try await self.handBack?(item) }.value
        } catch {
            self.logger.warning("Handing work back failed", metadata: ["loop": "\(self.name)", "error": "\(error)"])
        }
    }

    private func waitForWorkInHand(
        _ state: WorkLoopState,
        _ bell: Doorbell,
        _ group: inout ThrowingDiscardingTaskGroup<any Error>
    ) async throws {
        let grace = self.grace
        group.addTask {
            guard (try? await Task.sleep(for: grace)) != nil else { return }
            state.update { $0.isGraceOver = true }
            bell.ring()
        }
        var rings = bell.rings.makeAsyncIterator()
        while state.snapshot.inHand > 0 {
            if state.snapshot.isGraceOver { group.cancelAll() }
            guard await rings.next() != nil else { throw CancellationError() }
        }
    }

    /// NOTIFYs of other replicas and of committed transactions. All loops of a process share one listening connection; where there is none
    /// the stream ends, and polling remains.
    private func ringOnNotification(_ state: WorkLoopState, _ bell: Doorbell) async {
        for await _ in self.wake.database.listen([self.wake.channel]) {
            state.update { $0.isDue = true }
            bell.ring()
        }
    }

    private func ringOnPoll(_ state: WorkLoopState, _ bell: Doorbell) async {
        while (try? await Task.sleep(for: Backoff.jittered(self.poll))) != nil {
            state.update { $0.isDue = true }
            bell.ring()
        }
    }

    private func count(_ outcome: String) {
        Metrics.Counter(label: Self.items, dimensions: [("loop", self.name), ("outcome", outcome)]).increment()
    }
}

/// What the tasks of one loop share.
final class WorkLoopState: Sendable {
    struct Values: Sendable {
        /// There may be something to claim.
        var isDue = true
        var isStopping = false
        /// Work in hand is cancelled.
        var isGraceOver = false
        var inHand = 0
        var claimFailures = 0
        var workFailures = 0
        var restUntil = ContinuousClock.now
    }

    private let values = Mutex(Values())

    var snapshot: Values { self.values.withLock { $0 } }

    @discardableResult
    func update<Result: Sendable>(_ change: (inout sending Values) -> sending Result) -> Result {
        self.values.withLock { change(&$0) }
    }

    /// Reads the flag and lowers it: a wake-up that comes during the claim raises it again.
    func takeDue() -> Bool {
        self.values.withLock { values in
            defer { values.isDue = false }
            return values.isDue
        }
    }
}
