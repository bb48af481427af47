import Logging
import ServiceLifecycle
import Synchronization

/// The latest use of each key since the last flush, written together: what is told of uses may lag by a flush, and never costs a request a write.
final class UseBatch<Key: Hashable & Sendable, Details: Sendable>: Sendable {
    /// A use, told as an age: only Postgres's clock says what time it was.
    struct Use: Sendable {
        var key: Key
        var secondsAgo: Double
        var details: Details
    }

    /// Keys noted between two flushes; more wait for their next request.
    private static var capacity: Int { 100_000 }

    private let noted = Mutex<[Key: (at: ContinuousClock.Instant, details: Details)]>([:])
    private let name: String
    private let interval: Duration
    private let logger: Logger
    private let write: @Sendable ([Use]) async throws -> Void

    /// - name: of what is used, for the log.
    init(of name: String, every interval: Duration, logger: Logger, write: @escaping @Sendable ([Use]) async throws -> Void) {
        self.name = name
        self.interval = interval
        self.logger = logger
        self.write = write
    }

    func note(_ key: Key, _ details: Details) {
        self.noted.withLock { noted in
            guard noted.count < Self.capacity || noted[key] != nil else { return }
            noted[key] = (.now, details)
        }
    }

    /// Until graceful shutdown, and once more behind it.
    func run() async {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // Ends early only when the task is cancelled, which the loop's condition sees.
                try? await ContinuousClock().sleep(for: self.interval)
                await self.flushOrKeep()
            }
        }
        await self.flushOrKeep()
    }

    func flushOrKeep() async {
        do {
            try await self.flush()
        } catch is CancellationError {
            return
        } catch {
            self.logger.warning(
                "last uses could not be written; it is tried again",
                metadata: ["of": "\(self.name)", "error": "\(error)"]
            )
        }
    }

    /// Writes what was noted so far; on a fault it stays noted.
    func flush() async throws {
        let batch = self.noted.withLock { noted in
            defer { noted = [:] }
            return noted
        }
        guard !batch.isEmpty else { return }
        let now = ContinuousClock.now
        do {
            try await self.write(
                batch.map { key, use in Use(key: key, secondsAgo: (now - use.at) / .seconds(1), details: use.details) }
            )
        } catch {
            self.noted.withLock { noted in noted.merge(batch) { newer, _ in newer } }
            throw error
        }
    }
}
