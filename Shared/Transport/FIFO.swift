/// A queue whose ends are both O(1) amortized.
struct FIFO<Element> {
    private var items: [Element?] = []
    private var head = 0

    var count: Int { self.items.count - self.head }
    var isEmpty: Bool { self.head == self.items.count }

    mutating func append(_ element: Element) {
        self.items.append(element)
    }

    mutating func popFirst() -> Element? {
        guard self.head < self.items.count else { return nil }
        let element = self.items[self.head]
        self.items[self.head] = nil
        self.head += 1
        if self.head == self.items.count {
            self.items.removeAll(keepingCapacity: self.head <= 1024)
            self.head = 0
        } else if self.head >= 1024, self.head * 2 >= self.items.count {
            self.items.removeFirst(self.head)
            self.head = 0
        }
        return element
    }

    mutating func removeAll(where shouldBeRemoved: (Element) -> Bool) {
        self.items = self.items[self.head...].filter { $0.map { !shouldBeRemoved($0) } ?? false }
        self.head = 0
    }

    func forEach(_ body: (Element) -> Void) {
        for case .some(let element) in self.items[self.head...] { body(element) }
    }
}
