import COpenSSL
import Dispatch
import Foundation
import Models
import Synchronization

/// The few threads on which passwords are hashed, first come first served. A check takes 8 MiB and a tenth or two of a second of a whole core:
/// on the cooperative pool it would stop everything else, and unbounded it would exhaust the memory.
final class HashingThreads: Sendable {
    static let shared = HashingThreads(threads: 2, waiting: 64)

    private typealias Job = @Sendable () -> Void

    private let limit: Int
    private let jobs = Mutex<[Job]>([])
    private let arrivals = DispatchSemaphore(value: 0)

    /// The threads live as long as the process.
    init(threads: Int, waiting limit: Int) {
        self.limit = limit
        Self.returnLargeBlocks()
        for number in 1...threads {
            let thread = Thread { [self] in self.work() }
            thread.name = "hashing-\(number)"
            thread.start()
        }
    }

    /// glibc keeps freed blocks of up to 32 MiB once it has seen one (its threshold grows by itself, mallopt(3)): two tables of scrypt would stay
    /// with the process for good. Fixed thresholds give each back as soon as its check is done.
    private static func returnLargeBlocks() {
        #if canImport(Glibc)
        _ = mallopt(M_MMAP_THRESHOLD, 4 << 20)
        _ = mallopt(M_TRIM_THRESHOLD, 4 << 20)
        #endif
    }

    private func work() {
        while true {
            self.arrivals.wait()
            let job = self.jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }
            job?()
        }
    }

    /// - Throws: ``Problem`` of kind `unavailable` when too many wait already; `CancellationError` when the task was cancelled before its turn;
    ///   what `body` throws.
    func run<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) async throws -> Value {
        let ticket = Ticket()
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let accepted = self.enqueue {
                    continuation.resume(
                        with: Result {
                            if ticket.isCancelled { throw CancellationError() }
                            return try body()
                        }
                    )
                }
                if !accepted {
                    continuation.resume(throwing: Problem(.unavailable, "Too many sign-ins at once.", retryAfter: 5))
                }
            }
        } onCancel: {
            ticket.cancel()
        }
    }

    private func enqueue(_ job: @escaping Job) -> Bool {
        let accepted = self.jobs.withLock { jobs in
            guard jobs.count < self.limit else { return false }
            jobs.append(job)
            return true
        }
        if accepted { self.arrivals.signal() }
        return accepted
    }

    /// Whether the one who waits is still there.
    private final class Ticket: Sendable {
        private let cancelled = Atomic(false)

        var isCancelled: Bool { self.cancelled.load(ordering: .acquiring) }
        func cancel() { self.cancelled.store(true, ordering: .releasing) }
    }
}
