import Database
import Foundation
import Logging
import Metrics
import ServiceKit
import ServiceLifecycle
import Synchronization

/// Gathers requests in memory and writes them in batches: each second, or when a batch is full. What is noted costs the request an append.
///
/// Bounded: while Postgres is away, records wait up to ``capacity``; what comes then is dropped, counted in `request_log_dropped_total` and told
/// in the log. A crash loses what was not written yet, a second's worth.
final class RequestLog: Service {
    /// Records that wait at most: some 20 MB.
    static let capacity = 50_000
    /// A full batch does not wait for its second. Sums are added once a batch: small ones would cost more for them than for their rows.
    static let batch = 5_000
    /// Records of one transaction.
    private static let largestTransaction = 5_000
    private static let interval: Duration = .seconds(1)

    private struct State {
        var waiting: [RequestRecord] = []
        var dropped = 0
    }

    private let state = Mutex(State())
    private let rings: AsyncStream<Void>
    private let bell: AsyncStream<Void>.Continuation
    private let store: RequestLogStore
    private let capacity: Int
    private let logger: Logger
    private let droppedTotal = Counter(label: "request_log_dropped")

    init(store: RequestLogStore, capacity: Int = RequestLog.capacity, logger: Logger) {
        self.store = store
        self.capacity = capacity
        self.logger = logger
        (self.rings, self.bell) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    /// Called at the end of every request.
    func note(_ observed: ObservedRequest) {
        let record = RequestRecord(observed, at: Date())
        let isFull = self.state.withLock { state in
            guard state.waiting.count < self.capacity else {
                state.dropped += 1
                return false
            }
            state.waiting.append(record)
            return state.waiting.count == Self.batch
        }
        if isFull { self.bell.yield() }
    }

    /// Until graceful shutdown; then what waits is written. A flush is never cancelled: whether it had been committed could not be told.
    func run() async throws {
        await withGracefulShutdownHandler {
            await withTaskGroup(of: Void.self) { group in
                group.addTask { await self.ringEachInterval() }
                for await _ in self.rings { await self.flush() }
                group.cancelAll()
            }
        } onGracefulShutdown: {
            self.bell.finish()
        }
        await self.flush()
    }

    /// Records that wait to be written.
    var waitingCount: Int { self.state.withLock { $0.waiting.count } }
    /// Records that were dropped and not told of yet.
    var droppedSoFar: Int { self.state.withLock { $0.dropped } }

    private func ringEachInterval() async {
        while (try? await Task.sleep(for: Self.interval)) != nil { self.bell.yield() }
    }

    /// Writes all that waits. What cannot be written because Postgres is away waits on.
    func flush() async {
        self.reportDropped()
        while true {
            let records = self.state.withLock { state in
                let taken = Array(state.waiting.prefix(Self.largestTransaction))
                state.waiting.removeFirst(taken.count)
                return taken
            }
            guard !records.isEmpty, await self.writeOrKeep(records) else { return }
        }
    }

    /// - Returns: false where it is of no use to try the next ones now.
    private func writeOrKeep(_ records: [RequestRecord]) async -> Bool {
        do {
            try await self.store.write(records)
            return true
        } catch let error as DatabaseError where [.unavailable, .timedOut, .cancelled].contains(error.kind) || error.isRetryable {
            // Nothing of it was committed.
            self.keep(records)
            self.logger.warning("requests could not be logged; it is tried again", metadata: ["error": "\(error)"])
        } catch {
            // Refused, or committed without a word: a repeat would fail again, or count twice.
            self.drop(records.count)
            self.logger.error("requests could not be logged", metadata: ["error": "\(error)", "requests": "\(records.count)"])
        }
        return false
    }

    private func keep(_ records: [RequestRecord]) {
        self.state.withLock { state in
            let room = max(0, self.capacity - state.waiting.count)
            state.waiting.insert(contentsOf: records.suffix(room), at: 0)
            state.dropped += max(0, records.count - room)
        }
    }

    private func drop(_ count: Int) {
        self.state.withLock { $0.dropped += count }
        self.reportDropped()
    }

    private func reportDropped() {
        let dropped = self.state.withLock { state in
            defer { state.dropped = 0 }
            return state.dropped
        }
        guard dropped > 0 else { return }
        self.droppedTotal.increment(by: dropped)
        self.logger.error("requests were dropped from the request log", metadata: ["requests": "\(dropped)"])
    }
}
