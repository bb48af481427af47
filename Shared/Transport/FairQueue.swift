/// What stands in a ``FairQueue``. It may lose its interest while it waits (its caller gave up): then it is passed over.
protocol Queueable: AnyObject {
    var isWaiting: Bool { get }
}

/// Work waiting for its turn: hosts take turns, so that one with a long queue does not hold the others back, and none has more than its
/// share under way. Within a host, first come, first served.
struct FairQueue<Key: Hashable, Element: Queueable> {
    /// One host's queue. Elements under way keep it, so that a host is looked up by its key only once for each.
    final class Host {
        fileprivate let key: Key
        fileprivate var waiting = FIFO<Element>()
        fileprivate var underWay = 0
        fileprivate var isListed = false

        fileprivate init(key: Key) { self.key = key }
    }

    private let maximumInFlight: Int
    private let maximumPerHost: Int
    private var hosts: [Key: Host] = [:]
    /// Hosts that have both work waiting and a place free, in the order of their turns.
    private var turns = FIFO<Host>()
    private var standing = 0
    /// Of those that stand in a queue, how many no longer wait.
    private var passedOver = 0
    private(set) var underWay = 0

    /// - maximumPerHost: nil for no such limit.
    init(maximumInFlight: Int, maximumPerHost: Int?) {
        self.maximumInFlight = max(1, maximumInFlight)
        self.maximumPerHost = max(1, maximumPerHost ?? maximumInFlight)
    }

    var waiting: Int { self.standing - self.passedOver }

    mutating func append(_ element: Element, host key: Key) {
        let host: Host
        if let known = self.hosts[key] {
            host = known
        } else {
            host = Host(key: key)
            self.hosts[key] = host
        }
        host.waiting.append(element)
        self.standing += 1
        self.listIfReady(host)
    }

    /// The next to start; it counts as under way until ``ended(_:)`` is called with its host.
    mutating func next() -> (element: Element, host: Host)? {
        while self.underWay < self.maximumInFlight, let host = self.turns.popFirst() {
            host.isListed = false
            let element = self.nextWaiting(host)
            if element != nil {
                host.underWay += 1
                self.underWay += 1
            }
            self.listIfReady(host)
            if let element { return (element, host) }
        }
        return nil
    }

    mutating func ended(_ host: Host) {
        host.underWay -= 1
        self.underWay -= 1
        self.listIfReady(host)
    }

    /// An element that stood in the queue waits no longer. It is swept out with others, so that giving up many costs no more than the queue.
    mutating func gaveUp() {
        self.passedOver += 1
        guard self.passedOver > 64, self.passedOver * 2 > self.standing else { return }
        for host in Array(self.hosts.values) {
            host.waiting.removeAll { !$0.isWaiting }
            self.listIfReady(host)
        }
        self.standing -= self.passedOver
        self.passedOver = 0
    }

    /// Those that wait, host by host.
    var everyWaiting: [Element] {
        var result: [Element] = []
        result.reserveCapacity(self.waiting)
        for host in self.hosts.values {
            host.waiting.forEach { if $0.isWaiting { result.append($0) } }
        }
        return result
    }

    private mutating func nextWaiting(_ host: Host) -> Element? {
        while let element = host.waiting.popFirst() {
            self.standing -= 1
            if element.isWaiting { return element }
            self.passedOver -= 1
        }
        return nil
    }

    /// Gives the host a turn if it can use one, and forgets it when it has nothing left.
    private mutating func listIfReady(_ host: Host) {
        guard !host.isListed else { return }
        if host.waiting.isEmpty {
            if host.underWay == 0 { self.hosts[host.key] = nil }
        } else if host.underWay < self.maximumPerHost {
            host.isListed = true
            self.turns.append(host)
        }
    }
}
