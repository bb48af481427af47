import Logging
import Models
import ServiceLifecycle
import Synchronization

/// Tells campaigns that feeds have grown: best effort, and once for an organization however many pages came meanwhile.
/// A lost nudge costs time only, because campaigns polls the heads too.
final class ChangeNudger: Service, Sendable {
    private let waiting = Mutex<Set<OrganizationID>>([])
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let send: @Sendable (OrganizationID) async throws -> Void
    private let logger: Logger

    init(logger: Logger, send: @escaping @Sendable (OrganizationID) async throws -> Void) {
        (self.wakes, self.wake) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.send = send
        self.logger = logger
    }

    func nudge(_ organization: OrganizationID) {
        self.waiting.withLock { _ = $0.insert(organization) }
        self.wake.yield()
    }

    func run() async throws {
        for await _ in self.wakes.cancelOnGracefulShutdown() {
            while let organization = self.waiting.withLock({ $0.popFirst() }) {
                do {
                    try await self.send(organization)
                } catch {
                    self.logger.debug(
                        "campaigns was not nudged; it will poll",
                        metadata: ["organization_id": "\(organization)", "error": "\(ProviderText.clean(String(describing: error)))"]
                    )
                }
            }
        }
    }
}
