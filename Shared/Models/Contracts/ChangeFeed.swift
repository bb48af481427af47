package import Foundation

// Integrations → Campaigns: the change feed. `GET /internal/changes?organization_id=&after=&limit=` answers a ``ChangePage``.

/// One change of a synced record, with the record as it was then.
package struct RecordChange: Codable, Sendable, Equatable {
    package enum Operation: String, Codable, Sendable { case upsert, delete }

    /// Position in the organization's feed: dense, never skipped by a late commit.
    package var position: Int64
    package var recordID: RecordID
    package var integrationID: IntegrationID
    package var kind: RecordKind
    package var operation: Operation
    /// The record's normalised fields; nil for a delete.
    package var contact: ContactFields?

    package init(
        position: Int64,
        recordID: RecordID,
        integrationID: IntegrationID,
        kind: RecordKind,
        operation: Operation,
        contact: ContactFields?
    ) {
        self.position = position
        self.recordID = recordID
        self.integrationID = integrationID
        self.kind = kind
        self.operation = operation
        self.contact = contact
    }

    package enum CodingKeys: String, CodingKey {
        case position, kind, operation, contact
        case recordID = "record_id"
        case integrationID = "integration_id"
    }
}

package enum RecordKind: String, Codable, Sendable, CaseIterable {
    case contact
}

/// A contact as any CRM or shop knows it, in one shape.
package struct ContactFields: Codable, Sendable, Equatable {
    /// The provider's own id.
    package var externalID: String
    /// Trimmed, domain in lower case; nil where the provider has none.
    package var email: String?
    package var phone: String?
    package var firstName: String?
    package var lastName: String?
    package var company: String?
    package var jobTitle: String?
    package var updatedAt: Date?

    package init(
        externalID: String,
        email: String? = nil,
        phone: String? = nil,
        firstName: String? = nil,
        lastName: String? = nil,
        company: String? = nil,
        jobTitle: String? = nil,
        updatedAt: Date? = nil
    ) {
        self.externalID = externalID
        self.email = email
        self.phone = phone
        self.firstName = firstName
        self.lastName = lastName
        self.company = company
        self.jobTitle = jobTitle
        self.updatedAt = updatedAt
    }

    package enum CodingKeys: String, CodingKey {
        case email, phone, company
        case externalID = "external_id"
        case firstName = "first_name"
        case lastName = "last_name"
        case jobTitle = "job_title"
        case updatedAt = "updated_at"
    }
}

package struct ChangePage: Codable, Sendable, Equatable {
    package var changes: [RecordChange]
    /// The feed's newest position when the page was read: more is waiting while the last change lies before it.
    package var head: Int64

    package init(changes: [RecordChange], head: Int64) {
        self.changes = changes
        self.head = head
    }
}

/// `GET /internal/changes/heads?after_organization=&limit=`, ordered by organization.
package struct ChangeHeads: Codable, Sendable, Equatable {
    package struct Head: Codable, Sendable, Equatable {
        package var organizationID: OrganizationID
        package var position: Int64

        package init(organizationID: OrganizationID, position: Int64) {
            self.organizationID = organizationID
            self.position = position
        }

        package enum CodingKeys: String, CodingKey {
            case position
            case organizationID = "organization_id"
        }
    }

    package var heads: [Head]

    package init(heads: [Head]) { self.heads = heads }
}

/// Body of `POST /internal/nudges/changes`.
package struct ChangeNudge: Codable, Sendable, Equatable {
    package var organizationID: OrganizationID

    package init(organizationID: OrganizationID) { self.organizationID = organizationID }

    package enum CodingKeys: String, CodingKey { case organizationID = "organization_id" }
}
