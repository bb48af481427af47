import Logging
import Models
import ServiceLifecycle

/// Which keys were used, and from where, for `last_used_…`.
final class LastUsed: Service {
    private struct Key: Hashable {
        var organization: OrganizationID
        var id: APIKeyID
    }

    private struct Client {
        var address: String?
        var agent: String?
    }

    private let uses: UseBatch<Key, Client>

    init(store: APIKeyStore, logger: Logger) {
        self.uses = UseBatch(of: "keys", every: .seconds(5), logger: logger) { uses in
            try await store.recordUses(
                uses.map { use in
                    APIKeyUse(
                        organization: use.key.organization,
                        id: use.key.id,
                        secondsAgo: use.secondsAgo,
                        address: use.details.address,
                        agent: use.details.agent
                    )
                }
            )
        }
    }

    func note(_ id: APIKeyID, of organization: OrganizationID, address: String?, agent: String?) {
        self.uses.note(Key(organization: organization, id: id), Client(address: address, agent: agent.map(Visitor.cut)))
    }

    func run() async throws { await self.uses.run() }

    func flushOrKeep() async { await self.uses.flushOrKeep() }

    func flush() async throws { try await self.uses.flush() }
}

/// A key's latest use, told as an age: only Postgres's clock says what time it was.
struct APIKeyUse: Sendable {
    var organization: OrganizationID
    var id: APIKeyID
    var secondsAgo: Double
    var address: String?
    var agent: String?
}
