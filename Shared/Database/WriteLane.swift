import CLibPQ
import Logging
import Synchronization

/// A few threads, each owning a connection, and the queue before them.
final class WriteLane: Sendable {
    enum Phase { case fresh, running, draining, stopped }

    private struct State {
        var phase = Phase.fresh
        var queue = FIFO<WriteJob>()
        var idle: [WriteWorker] = []
        var workers: [WriteWorker] = []
        var threads: [NamedThread] = []
    }

    /// Lone writes that one connection takes at once.
    private static let longestFlight = 16
    /// Waiting jobs beyond this are refused at once.
    private static let longestQueue = 50_000

    let configuration: DatabaseConfiguration
    let health: ConnectionHealth
    private let state = Mutex(State())
    /// Wakes the thread that keeps the time of ``expire(_:)``.
    private let timekeeper: Waker

    init(_ configuration: DatabaseConfiguration, health: ConnectionHealth, timekeeper: Waker) {
        self.configuration = configuration
        self.health = health
        self.timekeeper = timekeeper
    }

    var parameters: ConnectionParameters {
        let limit = String(self.configuration.writeTimeout.milliseconds)
        return ConnectionParameters(
            url: self.configuration.url,
            schema: self.configuration.schema,
            applicationName: self.configuration.applicationName,
            settings: [("statement_timeout", limit), ("idle_in_transaction_session_timeout", limit)]
        )
    }

    func start() throws(DatabaseError) {
        try self.state.withLock { (state: inout State) throws(DatabaseError) in
            guard state.phase == .fresh else { return }
            for number in 1...max(1, self.configuration.writeConnections) {
                let worker = WriteWorker(lane: self)
                guard worker.waker.isValid else { throw DatabaseError(.unavailable, "no file descriptor is left") }
                state.threads.append(try NamedThread.start("pg-write-\(number)") { worker.run() })
                state.workers.append(worker)
            }
            state.phase = .running
        }
    }

    var load: (queued: Int, busy: Int) { self.state.withLock { ($0.queue.count, $0.workers.count - $0.idle.count) } }

    /// Waits for the job's turn and end.
    func run(_ job: WriteJob) async throws -> ResultBox? {
        try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { continuation in
                guard job.enqueue(continuation) else { return continuation.resume(throwing: DatabaseError.cancelled) }
                self.submit(job)
            }
        } onCancel: {
            job.cancel()
        }
    }

    /// Nobody waits for its end.
    func post(_ job: WriteJob) {
        if job.enqueue(nil) { self.submit(job) }
    }

    private func submit(_ job: WriteJob) {
        let (refusal, worker, isFirst): (DatabaseError?, WriteWorker?, Bool) = self.state.withLock { state in
            guard state.phase == .running else { return (.stopped, nil, false) }
            guard state.queue.count < Self.longestQueue else { return (DatabaseError(.unavailable, "too many callers wait"), nil, false) }
            state.queue.append(job)
            return (nil, state.idle.popLast(), state.queue.count == 1)
        }
        if let refusal { return job.finish(.failure(refusal)) }
        if let worker { worker.waker.wake() } else if isFirst { self.timekeeper.wake() }
    }

    /// What a free worker does next: jobs (several only when all are lone writes), nothing yet (it is now idle), or nil to end.
    func next(for worker: WriteWorker) -> [WriteJob]? {
        self.state.withLock { state in
            state.idle.removeAll { $0 === worker }
            guard state.phase == .running || state.phase == .draining else { return nil }
            guard let first = state.queue.popFirst() else {
                if state.phase == .draining { return nil }
                state.idle.append(worker)
                return []
            }
            var jobs = [first]
            guard first.query != nil else { return jobs }
            let share = min(Self.longestFlight, state.queue.count / max(1, state.workers.count) + 1)
            while jobs.count < share, state.queue.first?.query != nil, let next = state.queue.popFirst() { jobs.append(next) }
            return jobs
        }
    }

    /// Jobs that were taken and not begun: they are next again.
    func giveBack(_ jobs: [WriteJob]) { self.state.withLock { $0.queue.prepend(jobs) } }

    /// A worker lost its connection: whoever is idle takes its place.
    func leave(_ worker: WriteWorker) {
        let other = self.state.withLock { state in
            state.idle.removeAll { $0 === worker }
            return state.queue.isEmpty ? nil : state.idle.popLast()
        }
        other?.waker.wake()
    }

    var isRunning: Bool { self.state.withLock { $0.phase == .running } }
    var isStopped: Bool { self.state.withLock { $0.phase == .stopped } }

    /// Fails those that have waited too long.
    /// - Returns: when to look again.
    func expire(_ now: Monotonic) -> Monotonic? {
        let (late, next): ([WriteJob], Monotonic?) = self.state.withLock { state in
            var late: [WriteJob] = []
            while let first = state.queue.first, first.deadline <= now {
                late.append(first)
                _ = state.queue.popFirst()
            }
            return (late, state.queue.first?.deadline)
        }
        let error = DatabaseError(.unavailable, "no connection became free within the wait limit")
        for job in late { job.finish(.failure(error)) }
        return next
    }

    /// Takes no more work; ends what was accepted, or, when `isAtOnce`, cancels it.
    func stop(isAtOnce: Bool) -> [NamedThread] {
        let (dropped, workers, threads) = self.state.withLock { state in
            state.phase = isAtOnce || state.phase == .fresh || state.phase == .stopped ? .stopped : .draining
            let parts = (isAtOnce ? state.queue.removeAll() : [], state.workers, state.threads)
            // Workers and lane hold one another.
            if isAtOnce { (state.workers, state.idle) = ([], []) }
            return parts
        }
        for job in dropped { job.finish(.failure(DatabaseError.stopped)) }
        for worker in workers { worker.waker.wake() }
        return threads
    }

    /// After the threads have ended: whatever could not be done for want of a connection.
    func close() {
        let rest = self.state.withLock { state in
            state.phase = .stopped
            state.workers = []
            state.threads = []
            return state.queue.removeAll()
        }
        for job in rest { job.finish(.failure(DatabaseError.stopped)) }
    }
}

/// Says once that a lane cannot reach Postgres and once that it can again, whatever the number of attempts.
final class ConnectionHealth: Sendable {
    private let logger: Logger
    private let isDown = Mutex(false)

    init(lane: String, logger: Logger) {
        var logger = logger
        logger[metadataKey: "lane"] = "\(lane)"
        self.logger = logger
    }

    func failed(_ error: DatabaseError) {
        let wasDown = self.isDown.withLock { isDown in
            defer { isDown = true }
            return isDown
        }
        self.logger.log(level: wasDown ? .debug : .warning, "cannot connect to Postgres", metadata: ["error": "\(error.detail)"])
    }

    func connected() {
        let wasDown = self.isDown.withLock { isDown in
            defer { isDown = false }
            return isDown
        }
        if wasDown { self.logger.info("connected to Postgres again") }
    }
}
