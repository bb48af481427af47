import Database
import Logging
import Metrics
import Models
import ServiceLifecycle

/// Takes one claimed run from its saved cursor to its end, or puts it aside.
struct SyncWorker: Sendable {
    /// Failures in a row after which a run is given up; the next interval begins a new one.
    static let maximumFailures = 12

    let providers: Providers
    let integrations: IntegrationStore
    let syncs: SyncStore
    let nudge: @Sendable (OrganizationID) -> Void
    let logger: Logger

    func work(_ run: SyncRun) async throws {
        do {
            try await self.pages(of: run)
        } catch is CancellationError {
            try await self.syncs.release(run)
        } catch let failure as ProviderFailure {
            try await self.putAside(run, failure)
        } catch let error as DatabaseError {
            // The lease ends by itself and another claim goes on from the last page.
            throw error
        } catch {
            try await self.putAside(run, .transient(ProviderText.clean(String(describing: error))))
        }
    }

    private func pages(of run: SyncRun) async throws {
        guard let connection = try await self.integrations.connection(run.integrationID, in: run.organizationID),
            let source = self.providers[connection.integration.provider]?.contacts
        else { throw ProviderFailure.refused("The integration has nothing to sync.") }
        var cursor = try await self.syncs.cursor(of: run)
        while true {
            let page = try await source.page(connection, at: cursor)
            guard let result = try await self.syncs.apply(page, of: run) else { return self.lost(run) }
            Counter(label: "integrations_sync_pages", dimensions: [("provider", connection.integration.provider)]).increment()
            if result.hasChanges { self.nudge(run.organizationID) }
            if page.isLast { break }
            cursor = page.next
            if Task.isShuttingDownGracefully { return try await self.syncs.release(run) }
            if page.pause > .zero { try await Task.sleep(for: page.pause) }
        }
        if try await !self.syncs.finish(run) { self.lost(run) }
    }

    private func lost(_ run: SyncRun) {
        self.logger.info(
            "sync run taken over or cancelled",
            metadata: ["organization_id": "\(run.organizationID)", "sync_id": "\(run.id)", "fence": "\(run.fence)"]
        )
    }

    private func putAside(_ run: SyncRun, _ failure: ProviderFailure) async throws {
        switch failure {
        case .unauthorized(let detail): try await self.syncs.fail(run, detail, needsAttention: true)
        case .refused(let detail): try await self.syncs.fail(run, detail, needsAttention: false)
        case .wait(let seconds, let reason):
            try await self.syncs.wait(run, seconds: seconds, reason: reason, countsAsFailure: false)
        case .transient(let detail):
            guard run.failures + 1 < Self.maximumFailures else { return try await self.syncs.fail(run, detail, needsAttention: false) }
            let seconds = Self.delay(afterFailures: run.failures) * Double.random(in: 0.8...1.2)
            try await self.syncs.wait(run, seconds: seconds, reason: detail, countsAsFailure: true)
        }
    }

    /// Seconds, doubling from 2 to 15 minutes.
    static func delay(afterFailures failures: Int) -> Double { min(900, 2 * Double(1 << min(failures, 10))) }
}
