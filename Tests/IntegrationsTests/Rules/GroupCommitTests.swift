import Synchronization
import Testing

@testable import Integrations

@Suite struct GroupCommitTests {
    @Test func everyItemGetsItsOwnAnswerInSharedWrites() async throws {
        let writes = Mutex(0)
        let commit = GroupCommit<Int, Int>(maximumLeaders: 1, maximumBatch: 50) { items in
            writes.withLock { $0 += 1 }
            await Task.yield()
            return items.map { $0 * 2 }
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for item in 0..<1000 {
                group.addTask {
                    let answer = try await commit.submit(item)
                    #expect(answer == item * 2)
                }
            }
            try await group.waitForAll()
        }
        #expect(writes.withLock { $0 } < 1000)
    }

    @Test func aFailedWriteReachesAllOfItsItemsAndNoneElse() async throws {
        struct Refused: Error {}
        let commit = GroupCommit<Int, Int>(maximumLeaders: 1) { items in
            if items.contains(13) { throw Refused() }
            return items
        }
        await #expect(throws: Refused.self) { try await commit.submit(13) }
        #expect(try await commit.submit(14) == 14)
    }

    @Test func aLaneIsNeverWiderThanItSays() async {
        let lanes = Lanes()
        let lane = MailLane(key: "a", width: 3)
        let busy = Gauge()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    await lanes.enter(lane)
                    busy.add(1)
                    await Task.yield()
                    busy.add(-1)
                    lanes.leave(lane)
                }
            }
        }
        #expect(busy.now == 0)
        #expect((1...3).contains(busy.most))
    }
}

private final class Gauge: Sendable {
    private struct Level {
        var now = 0
        var most = 0
    }

    private let level = Mutex(Level())

    var now: Int { self.level.withLock { $0.now } }
    var most: Int { self.level.withLock { $0.most } }

    func add(_ difference: Int) {
        self.level.withLock { level in
            level.now += difference
            level.most = max(level.most, level.now)
        }
    }
}
