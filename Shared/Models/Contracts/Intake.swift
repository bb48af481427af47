package import Foundation

// Outbox relay → webhooks (`POST /internal/events`) and → gateway (`POST /internal/audit`). Both are idempotent by id: a repeat is answered
// like the first. Both answer 200 with an ``IntakeReceipt`` once all is stored.

package struct EventBatch: Codable, Sendable {
    package struct Entry: Codable, Sendable {
        package var organizationID: OrganizationID
        package var event: Event

        package init(organizationID: OrganizationID, event: Event) {
            self.organizationID = organizationID
            self.event = event
        }

        package enum CodingKeys: String, CodingKey {
            case event
            case organizationID = "organization_id"
        }
    }

    package var events: [Entry]

    package init(events: [Entry]) { self.events = events }
}

package struct AuditBatch: Codable, Sendable {
    package var entries: [AuditEntry]

    package init(entries: [AuditEntry]) { self.entries = entries }
}

/// A security-relevant change: who did what to what, before and after without secrets.
package struct AuditEntry: Codable, Sendable, Equatable {
    /// `aud_` and a UUIDv7.
    package var id: String
    package var organizationID: OrganizationID
    package var service: ServiceName
    /// `user:12`, `key:7` or `system`.
    package var actor: String
    /// `integration.created`, `key.revoked`.
    package var action: String
    /// `integration:5`.
    package var target: String
    package var details: JSONValue
    package var address: String?
    package var requestID: String?
    package var timestamp: Date

    package init(
        id: String,
        organizationID: OrganizationID,
        service: ServiceName,
        actor: String,
        action: String,
        target: String,
        details: JSONValue = [:],
        address: String? = nil,
        requestID: String? = nil,
        timestamp: Date
    ) {
        self.id = id
        self.organizationID = organizationID
        self.service = service
        self.actor = actor
        self.action = action
        self.target = target
        self.details = details
        self.address = address
        self.requestID = requestID
        self.timestamp = timestamp
    }

    package enum CodingKeys: String, CodingKey {
        case id, service, actor, action, target, details, address, timestamp
        case organizationID = "organization_id"
        case requestID = "request_id"
    }
}

package struct IntakeReceipt: Codable, Sendable, Equatable {
    /// Entries stored now; the rest had been stored before.
    package var stored: Int

    package init(stored: Int) { self.stored = stored }
}
