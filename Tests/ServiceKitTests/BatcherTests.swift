import Synchronization
import TestSupport
import Testing

@testable import ServiceKit

@Suite struct BatcherTests {
    /// What the writer was given, and a gate that it waits at.
    private final class Ledger: Sendable {
        let batches = Mutex<[[Int]]>([])
        let gate = Gate()
    }

    @Test func whatComesWhileAWriterIsBusyIsOneBatchAndEachGetsItsOwnAnswer() async throws {
        let ledger = Ledger()
        let batcher = Batcher<Int, Int>(limit: 100, writers: 1) { items in
            ledger.batches.withLock { $0.append(items) }
            try await ledger.gate.wait()
            return items.map { $0 * 2 }
        }
        let answers = try await withThrowingTaskGroup(of: (Int, Int).self) { group in
            group.addTask { (0, try await batcher.submit(0)) }
            try await eventually("the first is being written") { ledger.batches.withLock { $0.count } == 1 }
            for item in 1...20 { group.addTask { (item, try await batcher.submit(item)) } }
            try await Task.sleep(for: .milliseconds(100))
            ledger.gate.open()
            return try await group.reduce(into: [Int: Int]()) { $0[$1.0] = $1.1 }
        }
        #expect(answers == Dictionary(uniqueKeysWithValues: (0...20).map { ($0, $0 * 2) }))
        let batches = ledger.batches.withLock { $0 }
        #expect(batches.map(\.count).reduce(0, +) == 21)
        #expect(batches.count <= 3, "\(batches.map(\.count))")
    }

    @Test func noBatchIsLargerThanItMayBe() async throws {
        let largest = Mutex(0)
        let batcher = Batcher<Int, Void>(limit: 3, writers: 2) { items in
            largest.withLock { $0 = max($0, items.count) }
            return items.map { _ in }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for item in 0..<200 { group.addTask { try await batcher.submit(item) } }
            try await group.waitForAll()
        }
        #expect((1...3).contains(largest.withLock { $0 }))
    }

    @Test func aFailureIsEveryItemsOfItsBatchAndTheNextGoesOn() async throws {
        struct Broken: Error {}
        let isBroken = Mutex(true)
        let batcher = Batcher<Int, Int>(limit: 10, writers: 1) { items in
            if isBroken.withLock({ $0 }) { throw Broken() }
            return items
        }
        await #expect(throws: Broken.self) { _ = try await batcher.submit(1) }
        isBroken.withLock { $0 = false }
        let answer = try await batcher.submit(2)
        #expect(answer == 2)
    }

    @Test func aCallerThatGivesUpDoesNotTakeTheBatchWithIt() async throws {
        let ledger = Ledger()
        let batcher = Batcher<Int, Int>(limit: 10, writers: 1) { items in
            ledger.batches.withLock { $0.append(items) }
            try await ledger.gate.wait()
            return items
        }
        let first = Task { try await batcher.submit(1) }
        try await eventually("it is being written") { ledger.batches.withLock { $0.count } == 1 }
        let second = Task { try await batcher.submit(2) }
        first.cancel()
        ledger.gate.open()
        let answers = try await (first.value, second.value)
        #expect(answers == (1, 2))
    }
}
