import Database
import Logging
import ServiceLifecycle

/// Keeps the day partitions of events and settled deliveries: makes them ahead of time, and drops those that are older than what is kept. Rows
/// come in without them too (into the default partition), so a failure here is reported and tried again, and stops nothing.
struct DayPartitions: Service {
    /// Days made ahead: as long as this service may be down without the default partition filling.
    static let daysAhead = 7
    static let interval = Duration.seconds(3600)

    let database: Postgres
    /// Days that are kept.
    let retentionDays: Int
    let logger: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    try await self.ensure()
                    try await self.dropOld()
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

    /// What lies outside the days goes row by row: there is little of it.
    /// - Returns: how many partitions went.
    @discardableResult
    func dropOld() async throws -> Int {
        let dropped =
            try await self.database.writeFirst("SELECT drop_partitions(\(self.retentionDays)::integer) AS dropped", as: Int.self) ?? 0
        if dropped > 0 { self.logger.info("Partitions dropped", metadata: ["count": "\(dropped)", "days_kept": "\(self.retentionDays)"]) }
        let kept = Double(self.retentionDays) * 86_400
        try await self.database.write(
            "DELETE FROM events_default WHERE received_at < now() - make_interval(secs => \(kept))"
        )
        try await self.database.write(
            "DELETE FROM settled_deliveries_default WHERE settled_at < now() - make_interval(secs => \(kept))"
        )
        return dropped
    }
}
