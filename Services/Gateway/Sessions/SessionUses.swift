import Logging
import ServiceLifecycle
import Synchronization

/// Collects which sessions were used and writes it in batches, as ``LastUsed`` does for keys: `last_used_at` may lag by a flush, and never
/// costs a request a write.
final class SessionUses: Service {
    /// Sessions noted between two flushes; more wait for their next request.
    private static let capacity = 100_000
    private static let interval: Duration = .seconds(15)

    private let noted = Mutex<[SessionKey: ContinuousClock.Instant]>([:])
    private let store: SessionStore
    private let logger: Logger

    init(store: SessionStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    func note(_ session: SessionKey) {
        self.noted.withLock { noted in
            guard noted.count < Self.capacity || noted[session] != nil else { return }
            noted[session] = .now
        }
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // Ends early only when the task is cancelled, which the loop's condition sees.
                try? await ContinuousClock().sleep(for: Self.interval)
                await self.flushOrKeep()
            }
        }
        await self.flushOrKeep()
    }

    private func flushOrKeep() async {
        do {
            try await self.flush()
        } catch is CancellationError {
            return
        } catch {
            self.logger.warning("last use of sessions could not be written; it is tried again", metadata: ["error": "\(error)"])
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
            try await self.store.recordUses(batch.mapValues { (now - $0) / .seconds(1) })
        } catch {
            self.noted.withLock { noted in noted.merge(batch) { newer, _ in newer } }
            throw error
        }
    }
}
