import Database
import Logging
import Models
import ServiceLifecycle
import Synchronization

/// Collects which keys were used, and from where, and writes it in batches: `last_used_…` may lag by a flush, and never costs a request a write.
final class LastUsed: Service {
    private struct Key: Hashable {
        var organization: OrganizationID
        var id: APIKeyID
    }

    private struct Use {
        var at: ContinuousClock.Instant
        var address: String?
        var agent: String?
    }

    /// Keys noted between two flushes; more wait for their next request.
    private static let capacity = 100_000
    private static let interval: Duration = .seconds(5)

    private let noted = Mutex<[Key: Use]>([:])
    private let store: APIKeyStore
    private let logger: Logger

    init(store: APIKeyStore, logger: Logger) {
        self.store = store
        self.logger = logger
    }

    func note(_ id: APIKeyID, of organization: OrganizationID, address: String?, agent: String?) {
        let key = Key(organization: organization, id: id)
        let use = Use(at: .now, address: address, agent: agent.map(Visitor.cut))
        self.noted.withLock { noted in
            guard noted.count < Self.capacity || noted[key] != nil else { return }
            noted[key] = use
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

    func flushOrKeep() async {
        do {
            try await self.flush()
        } catch is CancellationError {
            return
        } catch {
            self.logger.warning("last use of keys could not be written; it is tried again", metadata: ["error": "\(error)"])
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
        let uses = batch.map { key, use in
            APIKeyUse(
                organization: key.organization,
                id: key.id,
                secondsAgo: (now - use.at) / .seconds(1),
                address: use.address,
                agent: use.agent
            )
        }
        do {
            try await self.store.recordUses(uses)
        } catch {
            self.noted.withLock { noted in noted.merge(batch) { newer, _ in newer } }
            throw error
        }
    }
}

/// A key's latest use, told as an age: only Postgres's clock says what time it was.
struct APIKeyUse: Sendable {
    var organization: OrganizationID
    var id: APIKeyID
    var secondsAgo: Double
    var address: String?
    var agent: String?
}
