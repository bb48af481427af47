import Database
import Logging
import ServiceLifecycle

/// Wipes private keys and subscriptions' secrets that sign no more, and removes keys that nobody has to find any more. Neither is used as it lies there, so a failure here is
/// reported and tried again, and stops nothing.
struct SigningKeySweeper: Service {
    static let interval = Duration.seconds(600)

    let database: Postgres
    let logger: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await self.sweep()
                } catch let error as DatabaseError {
                    self.logger.error("Old signing keys not removed", metadata: ["error": "\(error)"])
                }
                do { try await Task.sleep(for: Self.interval) } catch { return }
            }
        }
    }

    func sweep() async throws {
        try await self.database.write(all: [
            "DELETE FROM signing_keys WHERE retired_at IS NOT NULL AND published_until <= now()",
            """
            UPDATE signing_keys SET private_key = NULL
            WHERE retired_at IS NOT NULL AND signs_until <= now() AND private_key IS NOT NULL
            """,
            """
            UPDATE zapier_webhooks SET previous_secret = NULL, previous_secret_until = NULL
            WHERE previous_secret IS NOT NULL AND previous_secret_until <= now()
            """,
        ])
    }
}
