import Database
import Models
import ServiceLifecycle
import Synchronization
import TestSupport
import Testing

@testable import ServiceKit

@Suite struct WorkLoopTests {
    private struct Odd: Error {}

    /// Work in memory, claimed like rows.
    private final class Queue: Sendable {
        private let items = Mutex<[Int]>([])
        let limits = Recorder<Int>()

        func put(_ new: some Sequence<Int>) { self.items.withLock { $0 += new } }

        func claim(_ limit: Int) -> [Int] {
            self.limits.add(limit)
            return self.items.withLock { items in
                let taken = Array(items.prefix(limit))
                items.removeFirst(taken.count)
                return taken
            }
        }
    }

    private func withSignal(_ body: @escaping @Sendable (WakeSignal, TestDatabase) async throws -> Void) async throws {
        try await withDatabase(.campaigns, migrations: ServiceMain.sharedMigrations) { database in
            try await body(WakeSignal("test", database: database.runtime), database)
        }
    }

    private func loop(
        _ signal: WakeSignal,
        _ queue: Queue,
        concurrency: Int = 3,
        poll: Duration = .seconds(3600),
        handBack: (@Sendable (Int) async throws -> Void)? = nil,
        work: @escaping @Sendable (Int) async throws -> Void
    ) -> WorkLoop<Int> {
        var loop = WorkLoop(
            "test",
            wake: signal,
            poll: poll,
            concurrency: concurrency,
            logger: TestLog.silent,
            claim: { queue.claim($0) },
            work: work,
            handBack: handBack
        )
        loop.backoff = Backoff(base: .milliseconds(5), limit: .milliseconds(20))
        return loop
    }

    /// Runs a loop in a group that can be told to shut down.
    private func running(_ loop: WorkLoop<Int>, _ body: (ServiceGroup) async throws -> Void) async throws {
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: [.init(service: loop, serviceName: "loop")], logger: TestLog.silent)
        )
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await body(group)
            } catch {
                tasks.cancelAll()
                throw error
            }
            await group.triggerGracefulShutdown()
            try await tasks.waitForAll()
        }
    }

    @Test func neverMoreAtOnceThanAllowed() async throws {
        try await self.withSignal { signal, _ in
            let queue = Queue()
            queue.put(0..<30)
            let inHand = LockedCount()
            let done = LockedCount()
            let loop = self.loop(signal, queue) { _ in
                inHand.add()
                for _ in 0..<20 { await Task.yield() }
                inHand.add(-1)
                done.add()
            }
            try await self.running(loop) { _ in try await eventually { done.value == 30 } }
            #expect(inHand.highest <= 3)
            #expect(queue.limits.all.allSatisfy { $0 <= 3 })
        }
    }

    @Test func signalWakesAnIdleLoop() async throws {
        try await self.withSignal { signal, _ in
            let queue = Queue()
            let done = LockedCount()
            try await self.running(self.loop(signal, queue) { _ in done.add() }) { _ in
                try await eventually { queue.limits.count > 0 }
                queue.put([1])
                signal.wake()
                try await eventually { done.value == 1 }
            }
        }
    }

    @Test func notificationOfACommitWakesAnIdleLoop() async throws {
        try await self.withSignal { signal, database in
            let queue = Queue()
            let done = LockedCount()
            let channel = signal.channel
            try await self.running(self.loop(signal, queue) { _ in done.add() }) { _ in
                // The first claim, and the one when listening began.
                try await eventually { queue.limits.count >= 2 }
                queue.put([1])
                try await database.owner.transaction { try $0.notify(channel) }
                try await eventually { done.value == 1 }
            }
        }
    }

    @Test func pollFindsWhatNobodyToldOf() async throws {
        try await self.withSignal { signal, _ in
            let queue = Queue()
            let done = LockedCount()
            try await self.running(self.loop(signal, queue, poll: .milliseconds(20)) { _ in done.add() }) { _ in
                try await eventually { queue.limits.count > 2 }
                queue.put([1])
                try await eventually { done.value == 1 }
            }
        }
    }

    @Test func failuresDoNotEndTheLoopNorMakeItSpin() async throws {
        try await self.withSignal { signal, _ in
            let tries = LockedCount()
            let done = LockedCount()
            var loop = WorkLoop<Int>(
                "test",
                wake: signal,
                poll: .seconds(3600),
                concurrency: 1,
                logger: TestLog.silent,
                claim: { _ in
                    if tries.add() < 5 { throw Odd() }
                    return done.value == 0 ? [1] : []
                },
                work: { _ in
                    if tries.value < 8 { throw Odd() }
                    done.add()
                }
            )
            loop.backoff = Backoff(base: .milliseconds(40), limit: .milliseconds(40))
            let start = ContinuousClock.now
            let ready = loop
            try await self.running(ready) { _ in try await eventually { done.value == 1 } }
            // Four failed claims and three failed items: seven rests of at least 20 ms.
            #expect(ContinuousClock.now - start >= .milliseconds(140))
        }
    }

    @Test func shutdownWaitsForWorkInHandAndClaimsNoMore() async throws {
        try await self.withSignal { signal, _ in
            let queue = Queue()
            queue.put(0..<3)
            let started = LockedCount()
            let release = Gate()
            let done = LockedCount()
            let loop = self.loop(signal, queue) { _ in
                started.add()
                try await release.wait()
                done.add()
            }
            try await self.running(loop) { group in
                try await eventually { started.value == 3 }
                await group.triggerGracefulShutdown()
                // Told a moment later: until then it answers each wake-up with a claim.
                try await eventually {
                    let claims = queue.limits.count
                    for _ in 0..<5 {
                        signal.wake()
                        try await Task.sleep(for: .milliseconds(10))
                    }
                    return queue.limits.count == claims
                }
                queue.put(10..<20)
                signal.wake()
                release.open()
            }
            #expect(done.value == 3)
            #expect(queue.claim(100).count == 10)
        }
    }

    @Test func workThatOutlastsTheGraceIsCancelledAndHandedBack() async throws {
        try await self.withSignal { signal, _ in
            let queue = Queue()
            queue.put(0..<2)
            let started = LockedCount()
            let handedBack = Recorder<Int>()
            var loop = self.loop(
                signal,
                queue,
                handBack: { item in
                    #expect(!Task.isCancelled)
                    handedBack.add(item)
                }
            ) { _ in
                started.add()
                try await Task.sleep(for: .seconds(3600))
            }
            loop.grace = .milliseconds(50)
            let ready = loop
            try await self.running(ready) { _ in try await eventually { started.value == 2 } }
            #expect(handedBack.all.sorted() == [0, 1])
        }
    }

    @Test func lostLeaseCancelsItsWork() async throws {
        let renewals = LockedCount()
        await #expect(throws: LeaseLost.self) {
            try await LeaseKeeper.keep(every: .milliseconds(5)) {
                renewals.add() < 3
            } during: {
                try await Task.sleep(for: .seconds(3600))
            }
        }
        #expect(renewals.value == 3)
        let result = try await LeaseKeeper.keep(every: .seconds(3600)) {
            true
        } during: {
            5
        }
        #expect(result == 5)
    }

    @Test func backoffGrowsToItsLimit() {
        let backoff = Backoff(base: .milliseconds(100), limit: .seconds(10))
        #expect(backoff.delay(afterFailures: 0) == .zero)
        for (failures, most) in [(1, 100), (2, 200), (5, 1600), (100, 10_000)] {
            let delay = backoff.delay(afterFailures: failures)
            #expect(delay <= .milliseconds(most))
            #expect(delay >= .milliseconds(most / 2))
        }
    }
}
