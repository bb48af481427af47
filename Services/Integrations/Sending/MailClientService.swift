import ServiceLifecycle
import Transport

/// Takes leave of the mail servers at shutdown: what is under way ends, what waits was never sent and is handed back by its session.
struct MailClientService: Service {
    /// Less than the 20 s in which a process ends.
    private static let grace = Duration.seconds(15)

    let client: SMTPClient

    func run() async throws {
        do { try await gracefulShutdown() } catch is CancellationError {}
        await self.client.shutdown(within: Self.grace)
    }
}
