import Database
import Encryption
import Foundation
import Models
import Synchronization
import Transport

/// Opened endpoints of this process, each under the revision of its subscription: a change is seen with the next claim, which tells the
/// revision, and costs one reading.
final class EndpointCache: Sendable {
    /// Endpoints kept; when there are more, all are read anew.
    private static let capacity = 20_000

    private let database: Postgres
    private let vault: SubscriptionVault
    private let kept = Mutex<[EndpointKey: (revision: Int64, endpoint: Endpoint)]>([:])

    init(database: Postgres, vault: SubscriptionVault) {
        self.database = database
        self.vault = vault
    }

    private struct SealedEndpoint: RowDecodable {
        var key: EndpointKey
        var revision: Int64
        var subscription: Subscription
        var targetURL: [UInt8]
        var secret: [UInt8]
        var previousSecret: [UInt8]?
        var headers: [UInt8]?

        init(row: Row) throws {
            self.key = EndpointKey(organizationID: try row.get("organization_id"), subscriptionID: try row.get("id"))
            self.revision = try row.get("revision")
            self.subscription = try Subscription(row: row)
            self.targetURL = try row.get("target_url")
            self.secret = try row.get("secret")
            self.previousSecret = try row.get("previous_secret")
            self.headers = try row.get("headers")
        }
    }

    /// What is known of each; an endpoint that does not open with this process's keys, or is gone, is not among them.
    func endpoints(_ wanted: [EndpointKey: Int64]) async throws -> [EndpointKey: Endpoint] {
        var found: [EndpointKey: Endpoint] = [:]
        let missing = self.kept.withLock { kept in
            wanted.filter { key, revision in
                guard let known = kept[key], known.revision == revision else { return true }
                found[key] = known.endpoint
                return false
            }
        }
        guard !missing.isEmpty else { return found }
        for sealed in try await self.read(Array(missing.keys)) {
            guard let endpoint = try self.open(sealed) else { continue }
            found[sealed.key] = endpoint
            self.kept.withLock { kept in
                if kept.count >= Self.capacity { kept = [:] }
                kept[sealed.key] = (sealed.revision, endpoint)
            }
        }
        return found
    }

    private func read(_ keys: [EndpointKey]) async throws -> [SealedEndpoint] {
        try await self.database.read(
            """
            SELECT organization_id, revision, target_url, secret, previous_secret, headers, \(raw: Subscription.columns)
            FROM zapier_webhooks
            WHERE ended_at IS NULL AND (organization_id, id) IN (
                SELECT * FROM unnest(\(keys.map(\.organizationID))::bigint[], \(keys.map(\.subscriptionID))::bigint[])
            )
            """
        )
    }

    private func open(_ sealed: SealedEndpoint) throws -> Endpoint? {
        let (id, organization) = (sealed.key.subscriptionID, sealed.key.organizationID)
        let subscription = sealed.subscription
        do {
            guard let secret = WebhookSecret(try self.vault.open(sealed.secret, .secret, of: id, in: organization)) else { return nil }
            let url = try self.vault.open(sealed.targetURL, .targetURL, of: id, in: organization)
            var endpoint = Endpoint(target: try? HTTPTarget(url.reveal()), secret: secret)
            if let envelope = sealed.previousSecret, let until = subscription.previousSecretUntil,
                let previous = WebhookSecret(try self.vault.open(envelope, .previousSecret, of: id, in: organization))
            {
                endpoint.previousSecret = (previous, until)
            }
            if let envelope = sealed.headers {
                endpoint.headers = try CustomHeader.list(opened: try self.vault.open(envelope, .headers, of: id, in: organization))
            }
            endpoint.timeout = subscription.options.timeoutSeconds.map { .seconds($0) }
            endpoint.schedule = subscription.options.retryWaits.flatMap(RetrySchedule.init(waits:))
            endpoint.template = subscription.options.template.flatMap(PayloadTemplate.init(stored:))
            endpoint.signatures = Set(subscription.options.signatures)
            return endpoint
        } catch is EncryptionError {
            return nil
        }
    }
}
