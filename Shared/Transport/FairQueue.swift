/// Work waiting for its turn: hosts take turns, so that one with a long queue does not hold the others back, and none has more than its
/// share under way. Within a host, first come, first served.
struct FairQueue<Key: Hashable, Element> {
    private struct Host {
        var waiting = FIFO<Element>()
        var underWay = 0
        var isListed = false
    }

    private let maximumInFlight: Int
    private let maximumPerHost: Int
    private var hosts: [Key: Host] = [:]
    /// Hosts that have both work waiting and a place free, in the order of their turns.
    private var turns = FIFO<Key>()
    private(set) var underWay = 0
    private(set) var waiting = 0

    /// - maximumPerHost: nil for no such limit.
    init(maximumInFlight: Int, maximumPerHost: Int?) {
        self.maximumInFlight = max(1, maximumInFlight)
        self.maximumPerHost = max(1, maximumPerHost ?? maximumInFlight)
    }

    mutating func append(_ element: Element, host: Key) {
        self.hosts[host, default: Host()].waiting.append(element)
        self.waiting += 1
        self.listIfReady(host)
    }

    /// The next to start; the caller counts it as under way until ``ended(host:)``.
    mutating func next() -> Element? {
        while self.underWay < self.maximumInFlight, let host = self.turns.popFirst() {
            self.hosts[host]?.isListed = false
            guard let element = self.hosts[host]?.waiting.popFirst() else { continue }
            self.hosts[host]?.underWay += 1
            self.underWay += 1
            self.waiting -= 1
            self.listIfReady(host)
            return element
        }
        return nil
    }

    mutating func ended(host: Key) {
        self.hosts[host]?.underWay -= 1
        self.underWay -= 1
        self.listIfReady(host)
    }

    mutating func removeWaiting(where shouldBeRemoved: (Element) -> Bool) {
        for host in Array(self.hosts.keys) {
            let before = self.hosts[host]?.waiting.count ?? 0
            self.hosts[host]?.waiting.removeAll(where: shouldBeRemoved)
            self.waiting -= before - (self.hosts[host]?.waiting.count ?? 0)
            self.listIfReady(host)
        }
    }

    func forEachWaiting(_ body: (Element) -> Void) {
        for host in self.hosts.values { host.waiting.forEach(body) }
    }

    /// Gives the host a turn if it can use one, and forgets it when it has nothing left.
    private mutating func listIfReady(_ key: Key) {
        guard let host = self.hosts[key], !host.isListed else { return }
        if host.waiting.isEmpty {
            if host.underWay == 0 { self.hosts[key] = nil }
        } else if host.underWay < self.maximumPerHost {
            self.hosts[key]?.isListed = true
            self.turns.append(key)
        }
    }
}
