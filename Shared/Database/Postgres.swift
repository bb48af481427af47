package import Logging
import Models
import ServiceLifecycle
import Synchronization

/// The process's way to Postgres: pipelined reads, lone writes, and transactions that are one synchronous closure.
///
/// `run()` keeps connections up until graceful shutdown; calls made before it start the threads by themselves. List it first in a `ServiceGroup`, so
/// that it ends last. No call blocks the cooperative pool. Every call throws ``DatabaseError``, or what the closure or a row's decoding threw.
package final class Postgres: Service, Sendable {
    private let reads: ReadLane
    private let writes: WriteLane
    private let notifier: Notifier
    private let listener: Listener
    private let configuration: DatabaseConfiguration

    package init(_ configuration: DatabaseConfiguration, logger: Logger) {
        let timekeeper = Waker()
        self.configuration = configuration
        self.reads = ReadLane(configuration, health: ConnectionHealth(lane: "read", logger: logger), waker: timekeeper)
        self.writes = WriteLane(configuration, health: ConnectionHealth(lane: "write", logger: logger), timekeeper: timekeeper)
        self.notifier = Notifier(lane: self.writes, timekeeper: timekeeper)
        self.listener = Listener(configuration, health: ConnectionHealth(lane: "listen", logger: logger))
    }

    deinit {
        _ = self.listener.stop()
        _ = self.writes.stop(isAtOnce: true)
        _ = self.reads.stop(isAtOnce: true)
    }

    /// Until graceful shutdown, then finishes what was accepted; cancellation ends it at once. All threads have ended when it returns.
    package func run() async throws {
        try self.start()
        await withTaskCancellationHandler {
            // Cancellation is the other way to end: no error of this service.
            try? await gracefulShutdown()
            await self.shutDown(isAtOnce: Task.isCancelled)
        } onCancel: {
            _ = self.writes.stop(isAtOnce: true)
            _ = self.reads.stop(isAtOnce: true)
        }
    }

    private func start() throws(DatabaseError) {
        let (writes, notifier) = (self.writes, self.notifier)
        try self.reads.start(chores: [{ writes.expire($0) }, { notifier.flush($0) }])
        try self.writes.start()
    }

    private func shutDown(isAtOnce: Bool) async {
        await self.listener.stop()?.join()
        for thread in self.writes.stop(isAtOnce: isAtOnce) { await thread.join() }
        self.writes.close()
        await self.reads.stop(isAtOnce: isAtOnce)?.join()
    }

    /// A snapshot for gauges.
    package var load: DatabaseLoad {
        let writes = self.writes.load
        return DatabaseLoad(readsInFlight: self.reads.inFlightCount, writesQueued: writes.queued, busyWriteConnections: writes.busy)
    }

    // MARK: Reads.

    /// Reads on the pipelined read-only lane.
    package func read<R: RowDecodable>(_ query: Query, as type: R.Type = R.self) async throws -> [R] {
        try await self.readResult(query).rows(as: type)
    }

    package func readFirst<R: RowDecodable>(_ query: Query, as type: R.Type = R.self) async throws -> R? {
        try await self.readResult(query).first(as: type)
    }

    private func readResult(_ query: Query) async throws -> ResultBox {
        try query.validate()
        try self.start()
        return try await self.reads.run(query)
    }

    // MARK: Writes.

    /// One statement that writes, with its own sync. The count is of affected rows.
    @discardableResult
    package func write(_ query: Query) async throws -> Int { try await self.writeResult(query).affectedRows }

    package func write<R: RowDecodable>(_ query: Query, as type: R.Type) async throws -> [R] {
        try await self.writeResult(query).rows(as: type)
    }

    package func writeFirst<R: RowDecodable>(_ query: Query, as type: R.Type = R.self) async throws -> R? {
        try await self.writeResult(query).first(as: type)
    }

    private func writeResult(_ query: Query) async throws -> ResultBox {
        try query.validate()
        try self.start()
        guard let result = try await self.writes.run(WriteJob(.statement(query), waitLimit: self.configuration.waitLimit)) else {
            throw DatabaseError(.misuse, "a statement without a result")
        }
        return result
    }

    package enum Retry: Sendable {
        case never
        /// On serialization failure or deadlock the closure runs again, at most so many times in all.
        case onConflict(attempts: Int)

        var attempts: Int {
            switch self {
            case .never: 1
            case .onConflict(let attempts): max(1, attempts)
            }
        }
    }

    package enum Isolation: String, Sendable { case readCommitted, repeatableRead, serializable }

    /// BEGIN, the closure on the connection's own thread, COMMIT; ROLLBACK when it throws. The closure cannot suspend: no network inside.
    ///
    /// With ``Retry/onConflict(attempts:)`` the closure may run several times and must have no effect outside the transaction.
    package func transaction<T: Sendable>(
        isolation: Isolation = .readCommitted,
        retry: Retry = .never,
        _ body: @escaping @Sendable (Transaction) throws -> T
    ) async throws -> T {
        try self.start()
        let (value, notifier) = (Box<T>(), self.notifier)
        let job = WriteJob(
            .body { session, job in
                let (result, channels) = try TransactionRun(session: session, job: job, isolation: isolation, attempts: retry.attempts).run(
                    body
                )
                value.store(result)
                for channel in channels { notifier.notify(channel) }
            },
            waitLimit: self.configuration.waitLimit
        )
        _ = try await self.writes.run(job)
        guard let result = value.take() else { throw DatabaseError(.misuse, "a transaction without a result") }
        return result
    }

    /// All statements as one transaction in a single round trip; affected rows of each. For writes that need not look at one another's results.
    @discardableResult
    package func write(all queries: [Query]) async throws -> [Int] {
        guard !queries.isEmpty else { return [] }
        for query in queries { try query.validate() }
        try self.start()
        let value = Box<[Int]>()
        let job = WriteJob(
            .body { session, job in value.store(try TransactionRun.all(queries, session: session, job: job)) },
            waitLimit: self.configuration.waitLimit
        )
        _ = try await self.writes.run(job)
        return value.take() ?? []
    }

    // MARK: Notifications.

    /// Notifications of these channels; `.reconnected` whenever some may have been missed, and first of all when listening has begun. Ends with the
    /// consumer's task or ``run()``.
    package func listen(_ channels: [String]) -> AsyncStream<Notification> { self.listener.listen(channels) }

    /// One coalesced NOTIFY per channel and about 20 ms, no payload. Never throws: a lost nudge is what polling is for.
    package func notify(_ channel: String) {
        guard (try? self.start()) != nil else { return }
        self.notifier.notify(channel)
    }

    /// True after a trivial round trip on each lane.
    package func ping() async -> Bool {
        async let read: Int? = try? self.readFirst("SELECT 1")
        async let written: Int? = try? self.writeFirst("SELECT 1")
        return await (read, written) == (1, 1)
    }
}

/// A value handed from a lane's thread to its caller.
private final class Box<T: Sendable>: Sendable {
    private let value = Mutex<T?>(nil)

    func store(_ new: T) { self.value.withLock { $0 = new } }
    func take() -> T? { self.value.withLock { $0 } }
}

/// How much of a process waits for Postgres.
package struct DatabaseLoad: Sendable, Equatable {
    /// Reads that wait or whose answer is awaited.
    package var readsInFlight: Int
    /// Writes and transactions that no connection has taken yet.
    package var writesQueued: Int
    package var busyWriteConnections: Int
}
