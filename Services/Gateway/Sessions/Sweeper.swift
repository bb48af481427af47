import Database
import Logging
import ServiceLifecycle

/// Removes what has ended: tokens, sessions, invitations, settled mail, old notices, spent budgets and rate-limit windows that nothing will ask for again.
struct Sweeper: Service {
    private static let interval: Duration = .seconds(900)

    let database: Postgres
    /// `NOTICE_DAYS`.
    var noticeDays = 90
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.sweepOrReport()
                // Ends early only when the task is cancelled, which the loop's condition sees.
                try? await ContinuousClock().sleep(for: Self.interval)
            }
        }
    }

    private func sweepOrReport() async {
        do {
            try await self.sweep()
        } catch is CancellationError {
            return
        } catch {
            self.logger.warning("the sweep failed; it is tried again", metadata: ["error": "\(error)"])
        }
    }

    /// Sessions go a day after their last refresh token has ended, and take their tokens along; a used refresh token is kept as long as it could be shown again. Windows are kept for a day.
    func sweep() async throws {
        try await self.database.write("DELETE FROM access_tokens WHERE expires_at < now()")
        try await self.database.write("DELETE FROM refresh_tokens WHERE expires_at < now()")
        try await self.database.write("DELETE FROM sessions WHERE expires_at < now() - INTERVAL '1 day'")
        try await self.database.write("DELETE FROM user_tokens WHERE expires_at < now()")
        try await self.database.write("DELETE FROM invitations WHERE expires_at < now() - INTERVAL '30 days'")
        try await self.database.write(
            "DELETE FROM mails WHERE state <> 'pending' AND settled_at < now() - make_interval(secs => \(MailQueue.kept))"
        )
        try await self.database.write("DELETE FROM attempt_limits WHERE spent_until < now()")
        try await self.database.write(
            "DELETE FROM known_networks WHERE signed_in_at < now() - make_interval(days => \(AccountStore.networkMemory))"
        )
        try await self.database.write("DELETE FROM notices WHERE last_at < now() - make_interval(days => \(self.noticeDays))")
        try await self.database.write("DELETE FROM notice_receipts WHERE taken_at < now() - make_interval(days => \(self.noticeDays))")
        try await self.database.write("DELETE FROM quota_crossings WHERE window_start < now() - INTERVAL '1 day'")
        try await self.database.write("DELETE FROM rate_limit_windows WHERE window_start < now() - INTERVAL '1 day'")
        try await self.database.write("DELETE FROM gateway_replicas WHERE seen_at < now() - INTERVAL '1 hour'")
    }
}
