import Database
import Logging
import ServiceLifecycle

/// Makes the request log's next days and removes what is older than it is to be kept, at start and each hour. Replicas may do so side by side.
struct RequestLogKeeper: Service {
    private static let interval: Duration = .seconds(3600)
    /// After a fault.
    private static let pause: Duration = .seconds(30)
    private static let daysAhead = 2
    private static let removedAtOnce = 10_000

    let store: RequestLogStore
    let rotations: KeyRotationStore
    /// `REQUEST_LOG_DAYS`.
    let requestLogDays: Int
    /// `USAGE_DAYS`.
    let usageDays: Int
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                let isDone = await self.keepOrReport()
                // Ends early only when the task is cancelled, which the loop's condition sees.
                try? await ContinuousClock().sleep(for: isDone ? Self.interval : Self.pause)
            }
        }
    }

    private func keepOrReport() async -> Bool {
        do {
            try await self.keep()
            return true
        } catch is CancellationError {
            return false
        } catch {
            self.logger.warning("the request log's days could not be kept; it is tried again", metadata: ["error": "\(error)"])
            return false
        }
    }

    func keep() async throws {
        _ = try await self.store.makePartitions(daysAhead: Self.daysAhead)
        let dropped = try await self.store.dropPartitions(daysKept: self.requestLogDays)
        if dropped > 0 { self.logger.info("days of the request log were dropped", metadata: ["days": "\(dropped)"]) }
        while try await self.store.removeUsage(daysKept: self.usageDays, atMost: Self.removedAtOnce) == Self.removedAtOnce {}
        try await self.rotations.sweep()
    }
}
