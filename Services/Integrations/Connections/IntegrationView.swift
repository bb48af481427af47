import Foundation
import Models

/// An integration as the API shows it: never a secret, only which are set.
struct IntegrationView: Encodable, Sendable {
    let id: IntegrationID
    let provider: String
    let name: String
    let category: ProviderDefinition.Category?
    let capabilities: [ProviderDefinition.Capability]
    let status: Integration.Status
    let statusReason: String?
    let config: [String: JSONValue]
    let secretsSet: [String]
    let syncInterval: Int?
    let lastSyncedAt: Date?
    let createdAt: Date
    let updatedAt: Date

    init(_ integration: Integration, _ definition: ProviderDefinition?) {
        self.id = integration.id
        self.provider = integration.provider
        self.name = integration.name
        self.category = definition?.category
        self.capabilities = definition?.capabilities ?? []
        self.status = integration.status
        self.statusReason = integration.statusReason
        self.config = integration.config
        self.secretsSet = integration.secretsSet
        self.syncInterval = integration.syncInterval
        self.lastSyncedAt = integration.lastSyncedAt
        self.createdAt = integration.createdAt
        self.updatedAt = integration.updatedAt
    }

    enum CodingKeys: String, CodingKey {
        case id, provider, name, category, capabilities, status, config
        case statusReason = "status_reason"
        case secretsSet = "secrets_set"
        case syncInterval = "sync_interval"
        case lastSyncedAt = "last_synced_at"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}
