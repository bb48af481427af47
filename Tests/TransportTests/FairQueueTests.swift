import Testing

@testable import Transport

@Suite struct FairQueueTests {
    private final class Item: Queueable {
        let name: String
        var isWaiting = true
        init(_ name: String) { self.name = name }
    }

    private typealias Queue = FairQueue<String, Item>

    private func take(_ queue: inout Queue, _ count: Int) -> [String] {
        (0..<count).map { _ in queue.next()?.element.name ?? "-" }
    }

    @Test func hostsTakeTurns() {
        var queue = Queue(maximumInFlight: 1, maximumPerHost: nil)
        for name in ["a1", "a2", "a3", "b1", "b2", "c1"] { queue.append(Item(name), host: String(name.prefix(1))) }
        var order: [String] = []
        while let (item, host) = queue.next() {
            order.append(item.name)
            let none = queue.next()
            #expect(none == nil)
            queue.ended(host)
        }
        #expect(order == ["a1", "b1", "c1", "a2", "b2", "a3"])
        #expect(queue.waiting == 0 && queue.underWay == 0)
    }

    @Test func hostsShareIsNeverExceeded() throws {
        var queue = Queue(maximumInFlight: 10, maximumPerHost: 2)
        for name in ["a1", "a2", "a3", "a4"] { queue.append(Item(name), host: "a") }
        // Taken outside the macro, whose closure could not change the queue.
        let next = queue.next()
        let first = try #require(next)
        queue.append(Item("b1"), host: "b")
        let taken = self.take(&queue, 3)
        #expect(taken == ["a2", "b1", "-"])
        queue.ended(first.host)
        let takenAgain = self.take(&queue, 2)
        #expect(takenAgain == ["a3", "-"])
        #expect(queue.waiting == 1 && queue.underWay == 3)
    }

    @Test func whatGaveUpIsPassedOver() {
        var queue = Queue(maximumInFlight: 1000, maximumPerHost: 500)
        let items = (0..<300).map { Item("\($0)") }
        for item in items { queue.append(item, host: "a") }
        for item in items[1..<299] {
            item.isWaiting = false
            queue.gaveUp()
        }
        #expect(queue.waiting == 2)
        #expect(queue.everyWaiting.map(\.name) == ["0", "299"])
        let taken = self.take(&queue, 3)
        #expect(taken == ["0", "299", "-"])
        #expect(queue.waiting == 0 && queue.underWay == 2)
    }

    @Test func fifoKeepsItsOrderWhileItMoves() {
        var queue = FIFO<Int>()
        var taken: [Int] = []
        for number in 0..<10_000 {
            queue.append(number)
            if number % 3 != 0, let next = queue.popFirst() { taken.append(next) }
        }
        queue.removeAll { $0 % 2 == 1 }
        while let next = queue.popFirst() { taken.append(next) }
        #expect(taken == Array(0..<6666) + (6666..<10_000).filter { $0 % 2 == 0 })
        #expect(queue.isEmpty)
    }
}
