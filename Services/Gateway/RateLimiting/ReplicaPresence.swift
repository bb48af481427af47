import Database
import Encryption
import Logging
import Models
import ServiceLifecycle
import Synchronization

/// Whether this is the only gateway on its database. Then nobody else takes units, and what was heard of a counter stays true without asking again.
///
/// Only what the headers tell depends on it, never who is admitted: a belief that is wrong for a moment lets nobody in.
final class ReplicaPresence: Service {
    typealias Instant = ContinuousClock.Instant

    private static let channel = "gateway_replicas"
    private static let beat: Duration = .milliseconds(200)
    /// One that was not seen for so long is gone.
    static let goneAfterSeconds = 2
    /// A beat that found nobody else is believed for so long.
    private static let trustedFor: Duration = .milliseconds(600)

    private let database: Postgres
    private let logger: Logger
    private let id: String
    private let aloneUntil = Mutex<Instant?>(nil)
    private let clock = ContinuousClock()

    init(database: Postgres, logger: Logger) throws {
        self.database = database
        self.logger = logger
        self.id = Hex.encode(try RandomToken.bytes(8))
    }

    func isAlone(at now: Instant) -> Bool { self.aloneUntil.withLock { $0.map { now < $0 } ?? false } }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withDiscardingTaskGroup { group in
                group.addTask {
                    // Somebody came: the belief ends before their first request.
                    for await _ in self.database.listen([Self.channel]) { self.aloneUntil.withLock { $0 = nil } }
                }
                group.addTask { await self.keepBeating() }
            }
        }
        await self.leave()
    }

    private func keepBeating() async {
        var isKnown = false
        while !Task.isCancelled {
            do {
                let sentAt = self.clock.now
                let others = try await self.seen()
                if !isKnown { self.database.notify(Self.channel) }
                isKnown = true
                self.aloneUntil.withLock { $0 = others == 0 ? sentAt + Self.trustedFor : nil }
            } catch is CancellationError {
                return
            } catch {
                self.aloneUntil.withLock { $0 = nil }
                self.logger.debug("the replica could not be noted as alive", metadata: ["error": "\(error)"])
            }
            // Ends early only when the task is cancelled, which the loop's condition sees.
            try? await self.clock.sleep(for: Self.beat)
        }
    }

    /// Notes this replica as alive and counts the others.
    private func seen() async throws -> Int {
        try await self.database.writeFirst(
            """
            WITH own AS (
                INSERT INTO gateway_replicas (id) VALUES (\(self.id)) ON CONFLICT (id) DO UPDATE SET seen_at = now()
            )
            SELECT COUNT(*)::bigint FROM gateway_replicas
            WHERE id <> \(self.id) AND seen_at > now() - make_interval(secs => \(Self.goneAfterSeconds))
            """,
            as: Int.self
        ) ?? 0
    }

    private func leave() async {
        do {
            try await self.database.write("DELETE FROM gateway_replicas WHERE id = \(self.id)")
        } catch {
            self.logger.debug("the replica's row stays until it is swept", metadata: ["error": "\(error)"])
        }
    }
}
