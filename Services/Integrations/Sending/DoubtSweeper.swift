import Logging
import ServiceLifecycle

/// Settles as in_doubt what was begun by a process that is gone, also when nobody asks for it again.
struct DoubtSweeper: Service {
    private static let batch = 1000

    let store: OutboundStore
    let interval: Duration
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.sweep()
                do { try await Task.sleep(for: self.interval) } catch { return }
            }
        }
    }

    private func sweep() async {
        do {
            var found = 0
            repeat {
                found = try await self.store.doubtExpired(limit: Self.batch)
                if found > 0 { self.logger.warning("messages are in doubt: their lease ended", metadata: ["messages": "\(found)"]) }
            } while found == Self.batch
        } catch {
            self.logger.warning("the sweep for expired leases failed", metadata: ["error": "\(error)"])
        }
    }
}
