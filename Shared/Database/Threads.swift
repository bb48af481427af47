import CLibPQ
import Glibc
import Synchronization

/// A moment of the monotonic clock, in nanoseconds.
struct Monotonic: Comparable, Sendable {
    var nanoseconds: Int64

    static var now: Monotonic {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Monotonic(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    static let distantFuture = Monotonic(nanoseconds: .max)

    static func < (left: Self, right: Self) -> Bool { left.nanoseconds < right.nanoseconds }

    static func + (moment: Self, duration: Duration) -> Self {
        let (sum, overflow) = moment.nanoseconds.addingReportingOverflow(duration.nanoseconds)
        return overflow ? .distantFuture : Monotonic(nanoseconds: sum)
    }

    static func - (moment: Self, duration: Duration) -> Self { Monotonic(nanoseconds: moment.nanoseconds - duration.nanoseconds) }

    /// For poll and epoll_wait: rounded up, so that the moment has passed when they return.
    var millisecondsFromNow: Int32 {
        let left = self.nanoseconds - Self.now.nanoseconds
        return left <= 0 ? 0 : Int32(min(left / 1_000_000 + 1, 60_000))
    }
}

/// Ends the sleep of a thread that waits in poll or epoll: an eventfd.
final class Waker: Sendable {
    let descriptor: Int32

    init() { self.descriptor = switchboard_eventfd() }

    deinit { if self.isValid { close(self.descriptor) } }

    /// False when the process had no descriptor left.
    var isValid: Bool { self.descriptor >= 0 }

    func wake() {
        var one: UInt64 = 1
        // It fails only when the counter is full, and then the reader is awake.
        _ = write(self.descriptor, &one, 8)
    }

    func drain() {
        var count: UInt64 = 0
        _ = read(self.descriptor, &count, 8)
    }
}

/// A thread of the operating system, for code that blocks or owns a C library's state: never one of the cooperative pool.
final class NamedThread: Sendable {
    private struct State {
        var ended = false
        var waiters: [UnsafeContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    /// - Parameter name: at most 15 bytes are kept (Linux).
    static func start(_ name: String, _ body: @escaping @Sendable () -> Void) throws(DatabaseError) -> NamedThread {
        let thread = NamedThread()
        let start = Unmanaged.passRetained(
            Start {
                switchboard_name_thread(String(name.prefix(15)))
                switchboard_block_signals()
                body()
                thread.end()
            }
        )
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        defer { pthread_attr_destroy(&attributes) }
        // Detached: its end is waited for through `join()`, whose resumption is the last thing that the thread does.
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var identifier = pthread_t()
        let code = pthread_create(
            &identifier,
            &attributes,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            },
            start.toOpaque()
        )
        guard code == 0 else {
            start.release()
            throw DatabaseError(.unavailable, "no thread could be started")
        }
        return thread
    }

    private final class Start: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private func end() {
        let waiters = self.state.withLock { state in
            state.ended = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Returns when the thread has ended.
    func join() async {
        await withUnsafeContinuation { continuation in
            let ended = self.state.withLock { state in
                if !state.ended { state.waiters.append(continuation) }
                return state.ended
            }
            if ended { continuation.resume() }
        }
    }
}

/// Runs blocking work on a thread of its own.
func onThread<T: Sendable>(_ name: String, _ body: @escaping @Sendable () throws -> T) async throws -> T {
    try await withUnsafeThrowingContinuation { continuation in
        do {
            _ = try NamedThread.start(name) { continuation.resume(with: Result(catching: body)) }
        } catch {
            continuation.resume(throwing: error)
        }
    }
}

/// Delays between attempts to connect: doubled each time, with jitter so that replicas do not come back in step.
struct Backoff {
    private var step = 0

    static let first: Duration = .milliseconds(50)
    static let longest: Duration = .seconds(2)

    mutating func next() -> Duration {
        let full = min(Self.longest, Self.first * (1 << min(self.step, 10)))
        self.step += 1
        return full * Double.random(in: 0.5...1)
    }

    mutating func reset() { self.step = 0 }
}

/// A queue whose first element goes in constant time.
struct FIFO<Element> {
    private var elements: [Element?] = []
    private var head = 0

    var count: Int { self.elements.count - self.head }
    var isEmpty: Bool { self.head == self.elements.count }
    var first: Element? { self.isEmpty ? nil : self.elements[self.head] }

    mutating func append(_ element: Element) { self.elements.append(element) }

    mutating func append(contentsOf other: some Sequence<Element>) {
        for element in other { self.elements.append(element) }
    }

    mutating func prepend(_ others: [Element]) {
        self.elements.replaceSubrange(..<self.head, with: others.map(Optional.some))
        self.head = 0
    }

    mutating func popFirst() -> Element? {
        guard self.head < self.elements.count else { return nil }
        let element = self.elements[self.head]
        self.elements[self.head] = nil
        self.head += 1
        if self.head == self.elements.count {
            self.elements.removeAll(keepingCapacity: true)
            self.head = 0
        } else if self.head > 1024, self.head * 2 > self.elements.count {
            self.elements.removeFirst(self.head)
            self.head = 0
        }
        return element
    }

    mutating func removeAll() -> [Element] {
        let rest = self.elements[self.head...].compactMap(\.self)
        self.elements = []
        self.head = 0
        return rest
    }

    func forEach(_ body: (Element) -> Void) {
        for index in self.head..<self.elements.count { if let element = self.elements[index] { body(element) } }
    }
}

/// Prepared statements of one connection: SQL to its name there, bounded, the least recently used given back first.
struct StatementCache {
    private struct Entry {
        var name: String
        var lastUse: Int
    }

    private var entries: [String: Entry] = [:]
    private var clock = 0
    private var made = 0
    private let limit: Int
    /// Names that the server may forget: sent as DEALLOCATE when the connection is idle.
    private(set) var discarded: [String] = []

    init(limit: Int) { self.limit = max(1, limit) }

    /// - Returns: the name, and whether it has still to be prepared.
    mutating func name(for sql: String) -> (name: String, isNew: Bool) {
        self.clock += 1
        if let index = self.entries.index(forKey: sql) {
            self.entries.values[index].lastUse = self.clock
            return (self.entries.values[index].name, false)
        }
        if self.entries.count >= self.limit, let oldest = self.entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            self.entries[oldest.key] = nil
            self.discarded.append(oldest.value.name)
        }
        self.made += 1
        let name = "s\(self.made)"
        self.entries[sql] = Entry(name: name, lastUse: self.clock)
        return (name, true)
    }

    /// Its preparation failed, never ran, or went stale. A name is never used twice, so what the server still holds of it does no harm.
    mutating func forget(_ sql: String, name: String) {
        guard self.entries[sql]?.name == name else { return }
        self.entries[sql] = nil
    }

    mutating func takeDiscarded() -> [String] {
        defer { self.discarded = [] }
        return self.discarded
    }
}

extension Waker {
    /// - Returns: true when it was written to before the deadline.
    func wait(until deadline: Monotonic) -> Bool {
        var watched = pollfd(fd: self.descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&watched, 1, deadline.millisecondsFromNow) > 0
    }
}
