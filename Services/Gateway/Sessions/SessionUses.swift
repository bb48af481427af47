import Logging
import ServiceLifecycle

/// Which sessions were used, for `last_used_at`.
final class SessionUses: Service {
    private let uses: UseBatch<SessionKey, Void>

    init(store: SessionStore, logger: Logger) {
        self.uses = UseBatch(of: "sessions", every: .seconds(15), logger: logger) { uses in
            try await store.recordUses(Dictionary(uniqueKeysWithValues: uses.map { ($0.key, $0.secondsAgo) }))
        }
    }

    func note(_ session: SessionKey) { self.uses.note(session, ()) }

    func run() async throws { await self.uses.run() }

    func flush() async throws { try await self.uses.flush() }
}
