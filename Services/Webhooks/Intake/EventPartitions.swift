import Database
import Logging
import ServiceLifecycle

/// Keeps the event log's day partitions made ahead of time. Events come in without them too (into the default partition), so a failure here
/// is reported and tried again, and stops nothing.
struct EventPartitions: Service {
    /// Days made ahead: as long as this service may be down without the default partition filling.
    static let daysAhead = 7
    static let interval = Duration.seconds(3600)

    let database: Postgres
    let logger: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await self.ensure()
                } catch let error as DatabaseError {
                    self.logger.error("Event partitions not made", metadata: ["error": "\(error)"])
                }
                do { try await Task.sleep(for: Self.interval) } catch { return }
            }
        }
    }

    /// - Returns: how many were made.
    @discardableResult
    func ensure() async throws -> Int {
        let made =
            try await self.database.writeFirst("SELECT ensure_partitions(\(Self.daysAhead)::integer) AS made", as: Int.self) ?? 0
        if made > 0 { self.logger.info("Event partitions made", metadata: ["count": "\(made)"]) }
        return made
    }
}
