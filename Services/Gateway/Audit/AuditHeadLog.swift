import Database
import Encryption
import Logging
import Models
import ServiceLifecycle

/// Writes the heads of chains that have grown to the log, each minute: whoever ships logs elsewhere can tell a cut tail by them
/// (`verify-audit --published`). Replicas may write a head twice; none is left out.
struct AuditHeadLog: Service {
    private static let interval: Duration = .seconds(60)
    /// Heads of one statement.
    private static let page = 1_000

    let database: Postgres
    let logger: Logger

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                // Ends early only when the task is cancelled, which the loop's condition sees.
                try? await ContinuousClock().sleep(for: Self.interval)
                await self.publishOrReport()
            }
        }
    }

    /// The last entries before a shutdown are published too.
    func publishOrReport() async {
        do {
            while try await self.publish() == Self.page {}
        } catch is CancellationError {
            return
        } catch {
            self.logger.warning("heads of the audit log could not be published; it is tried again", metadata: ["error": "\(error)"])
        }
    }

    /// - Returns: how many heads were written to the log.
    func publish() async throws -> Int {
        let heads = try await self.database.read(
            """
            SELECT organization_id, position, mac FROM audit_heads WHERE position > announced_position
            ORDER BY organization_id LIMIT \(Self.page)
            """,
            as: AuditHead.self
        )
        guard !heads.isEmpty else { return 0 }
        for head in heads {
            self.logger.notice(
                "Audit head",
                metadata: ["organization_id": "\(head.organization)", "position": "\(head.position)", "mac": "\(Hex.encode(head.mac))"]
            )
        }
        // Only after they are written: a crash in between writes them twice.
        try await self.database.write(
            """
            UPDATE audit_heads SET announced_position = GREATEST(announced_position, written.position)
            FROM unnest(\(heads.map(\.organization))::bigint[], \(heads.map(\.position))::bigint[]) AS written (organization_id, position)
            WHERE audit_heads.organization_id = written.organization_id
            """
        )
        return heads.count
    }
}
