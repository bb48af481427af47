import CLibPQ
import Synchronization

/// The door of the pipelined lane: hands requests to the epoll thread, which alone touches the connections.
final class ReadLane: Sendable {
    enum Phase { case fresh, running, draining, stopped }

    struct Inbox {
        var phase = Phase.fresh
        var requests: [ReadRequest] = []
        var connected: [(slot: Int, result: Result<ConnectionTransfer, DatabaseError>)] = []
        var thread: NamedThread?
    }

    /// Waiting requests beyond this are refused at once.
    private static let longestQueue = 100_000

    let configuration: DatabaseConfiguration
    let health: ConnectionHealth
    let waker: Waker
    /// Work of the other lanes that is due at a time; each returns when it wants to be called again.
    private let chores = Mutex<[@Sendable (Monotonic) -> Monotonic?]>([])
    private let inbox = Mutex(Inbox())
    private let inFlight = Atomic<Int>(0)
    /// The thread is in epoll_wait, or about to enter it: the next to put something in wakes it.
    private let isAsleep = Atomic<Bool>(false)

    init(_ configuration: DatabaseConfiguration, health: ConnectionHealth, waker: Waker) {
        self.configuration = configuration
        self.health = health
        self.waker = waker
    }

    var parameters: ConnectionParameters {
        ConnectionParameters(
            url: self.configuration.url,
            schema: self.configuration.schema,
            applicationName: self.configuration.applicationName,
            settings: [
                ("default_transaction_read_only", "on"), ("statement_timeout", String(self.configuration.readTimeout.milliseconds)),
            ]
        )
    }

    func start(chores: [@Sendable (Monotonic) -> Monotonic?]) throws(DatabaseError) {
        guard self.waker.isValid else { throw DatabaseError(.unavailable, "no file descriptor is left") }
        try self.inbox.withLock { (inbox: inout Inbox) throws(DatabaseError) in
            guard inbox.phase == .fresh else { return }
            self.chores.withLock { $0 = chores }
            let epoll = switchboard_epoll_create()
            guard epoll >= 0 else { throw DatabaseError(.unavailable, "no file descriptor is left") }
            inbox.thread = try NamedThread.start("pg-read") { ReadLoop(self, epoll: epoll).run() }
            inbox.phase = .running
        }
    }

    var inFlightCount: Int { self.inFlight.load(ordering: .relaxed) }

    func run(_ query: Query) async throws -> ResultBox {
        let request = ReadRequest(query)
        self.inFlight.add(1, ordering: .relaxed)
        defer { self.inFlight.subtract(1, ordering: .relaxed) }
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                guard request.wait(continuation) else { return continuation.resume(throwing: DatabaseError.cancelled) }
                self.submit(request)
            }
        } onCancel: {
            request.cancel()
        }
    }

    private func submit(_ request: ReadRequest) {
        let refusal: DatabaseError? = self.inbox.withLock { inbox in
            guard inbox.phase == .running else { return .stopped }
            guard inbox.requests.count < Self.longestQueue else { return DatabaseError(.unavailable, "too many callers wait") }
            inbox.requests.append(request)
            return nil
        }
        if let refusal { return request.finish(.failure(refusal)) }
        if self.isAsleep.exchange(false, ordering: .sequentiallyConsistent) { self.waker.wake() }
    }

    func deliver(_ result: Result<ConnectionTransfer, DatabaseError>, slot: Int) {
        self.inbox.withLock { $0.connected.append((slot, result)) }
        self.waker.wake()
    }

    typealias Delivery = (
        requests: [ReadRequest], connected: [(slot: Int, result: Result<ConnectionTransfer, DatabaseError>)], phase: Phase
    )

    /// Takes what has come. From here on, until ``isAwake()``, the thread counts as asleep: what comes later wakes it.
    func take() -> Delivery {
        self.isAsleep.store(true, ordering: .sequentiallyConsistent)
        return self.inbox.withLock { inbox in
            let taken = (inbox.requests, inbox.connected, inbox.phase)
            inbox.requests = []
            inbox.connected = []
            return taken
        }
    }

    func isAwake() { self.isAsleep.store(false, ordering: .sequentiallyConsistent) }

    func runChores(_ now: Monotonic) -> Monotonic? {
        self.chores.withLock(\.self).compactMap { $0(now) }.min()
    }

    /// Takes no more requests; answers what was accepted, or, when `isAtOnce`, fails it.
    func stop(isAtOnce: Bool) -> NamedThread? {
        defer { self.waker.wake() }
        return self.inbox.withLock { inbox in
            inbox.phase = isAtOnce || inbox.phase == .fresh || inbox.phase == .stopped ? .stopped : .draining
            return inbox.thread
        }
    }
}

/// Carries a new connection from the thread that made it to the one that uses it.
///
/// It is taken out once, by the receiving thread; libpq allows a connection to move between threads that do not use it at the same time (manual, 34.20).
final class ConnectionTransfer: Sendable {
    private let connection: Mutex<Connection?>

    init(_ connection: sending Connection) { self.connection = Mutex(connection) }

    func take() -> sending Connection? {
        self.connection.withLock { held in
            let connection = held
            held = nil
            return connection
        }
    }
}
