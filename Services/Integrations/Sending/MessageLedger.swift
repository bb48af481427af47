import Database
import Logging
import Models

/// Begins and settles messages, many in one commit.
struct MessageLedger: Sendable {
    /// Pauses between tries to settle while the database is away: what is known about a call must not be lost to a restart.
    private static let settlePauses: [Duration] =
        [.milliseconds(50), .milliseconds(200), .milliseconds(500)] + Array(repeating: .seconds(1), count: 30)

    private let begins: GroupCommit<HeldKey, Bool>
    private let settlements: GroupCommit<OutboundStore.Settlement, Void>
    private let logger: Logger

    init(store: OutboundStore, logger: Logger) {
        self.begins = GroupCommit { try await store.begin($0) }
        self.settlements = GroupCommit {
            try await store.settle($0)
            return $0.map { _ in () }
        }
        self.logger = logger
    }

    func begin(_ key: HeldKey) async throws -> Bool { try await self.begins.submit(key) }

    /// - Returns: false when the database stayed away; the row says what it can, and its lease ends.
    func settle(_ key: HeldKey, _ result: SendResult) async -> Bool {
        for pause in Self.settlePauses {
            do {
                try await self.settlements.submit(.init(key: key, result: result))
                return true
            } catch {
                self.logger.warning(
                    "a message's outcome waits for the database",
                    metadata: ["organization_id": "\(key.organizationID)", "outcome": "\(result.outcome.rawValue)", "error": "\(error)"]
                )
                do { try await Task.sleep(for: pause) } catch { break }
            }
        }
        self.logger.error(
            "a message's outcome was not stored",
            metadata: [
                "organization_id": "\(key.organizationID)", "send_key": "\(key.sendKey)", "outcome": "\(result.outcome.rawValue)",
            ]
        )
        return false
    }
}
