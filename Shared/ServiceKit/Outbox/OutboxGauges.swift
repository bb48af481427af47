import Logging
import Metrics
import ServiceLifecycle

/// Keeps the gauge of outbox entries: those on their way and those set aside, of the whole schema (every replica tells the same).
struct OutboxGauges: Service {
    let outbox: Outbox
    let logger: Logger
    var interval = Duration.seconds(15)

    func run() async throws {
        let store = OutboxStore(database: self.outbox.wake.database)
        let pending = Meter(label: "outbox_entries", dimensions: [("state", "pending")])
        let refused = Meter(label: "outbox_entries", dimensions: [("state", "refused")])
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    let counts = try await store.counts()
                    pending.set(counts.pending)
                    refused.set(counts.refused)
                } catch is CancellationError {
                    return
                } catch {
                    self.logger.debug("The outbox was not counted", metadata: ["error": "\(error)"])
                }
                // A cancelled sleep is the end of the loop, not a fault.
                guard (try? await Task.sleep(for: Backoff.jittered(self.interval))) != nil else { return }
            }
        }
    }
}
