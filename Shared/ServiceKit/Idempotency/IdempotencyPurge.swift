import Database
import Logging
import ServiceLifecycle

/// Removes expired keys, a batch at a time so that no statement holds many rows.
struct IdempotencyPurge: Service {
    private static let batch = 1000

    let database: Postgres
    let logger: Logger
    var interval = Duration.seconds(600)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while true {
                // A cancelled sleep is the end of the loop, not a fault.
                guard (try? await Task.sleep(for: Backoff.jittered(self.interval))) != nil else { return }
                do {
                    try await self.purge()
                } catch {
                    self.logger.warning("Expired idempotency keys could not be removed", metadata: ["error": "\(error)"])
                }
            }
        }
    }

    @discardableResult
    func purge() async throws -> Int {
        var removed = 0
        while !Task.isCancelled {
            let count = try await self.database.write(
                """
                DELETE FROM idempotency_keys
                WHERE (organization_id, caller, route, key) IN (
                    SELECT organization_id, caller, route, key
                    FROM idempotency_keys
                    WHERE expires_at <= now()
                    LIMIT \(Self.batch)
                    FOR UPDATE SKIP LOCKED
                )
                """
            )
            removed += count
            guard count == Self.batch else { break }
        }
        return removed
    }
}
