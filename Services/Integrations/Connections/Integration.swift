import Database
import Foundation
import Models

/// One organization's connection to a provider. Its secrets are elsewhere: ``CredentialVault``.
struct Integration: Sendable, Equatable {
    enum Status: String, Codable, Sendable, CaseIterable, SQLEncodable, SQLDecodable {
        case enabled, paused
        /// The provider refuses the credentials; nothing is tried until a person has acted.
        case needsAttention = "needs_attention"
    }

    let id: IntegrationID
    let organizationID: OrganizationID
    let provider: String
    let name: String
    let config: [String: JSONValue]
    let status: Status
    let statusReason: String?
    /// Seconds; nil where the provider has nothing to sync.
    let syncInterval: Int?
    let lastSyncedAt: Date?
    let createdAt: Date
    let updatedAt: Date
    /// Names of the secret fields that are stored.
    let secretsSet: [String]
    let isDeleted: Bool

    /// Over `integrations AS integration`.
    static let columns: StaticString = """
        integration.organization_id, integration.id, integration.provider, integration.name, integration.config, integration.status,
        integration.status_reason, integration.sync_interval, integration.last_synced_at, integration.created_at, integration.updated_at,
        integration.deleted_at IS NOT NULL AS is_deleted,
        ARRAY(
            SELECT credential.field FROM credentials AS credential
            WHERE credential.organization_id = integration.organization_id AND credential.integration_id = integration.id
            ORDER BY credential.field
        ) AS secrets_set
        """

    func text(_ field: String) -> String? { self.config[field]?.stringValue }
}

extension Integration: RowDecodable {
    init(row: Row) throws {
        self.id = try row.get("id")
        self.organizationID = try row.get("organization_id")
        self.provider = try row.get("provider")
        self.name = try row.get("name")
        self.config = try row.get("config", as: JSONValue.self).objectValue ?? [:]
        self.status = try row.get("status")
        self.statusReason = try row.get("status_reason")
        self.syncInterval = try row.get("sync_interval")
        self.lastSyncedAt = try row.get("last_synced_at")
        self.createdAt = try row.get("created_at")
        self.updatedAt = try row.get("updated_at")
        self.secretsSet = try row.get("secrets_set")
        self.isDeleted = try row.get("is_deleted")
    }
}
