import Database
import Foundation
import Models

/// A person as one source record describes them.
struct Contact: Encodable, Sendable {
    var id: ContactID
    var source: Source
    var email: String?
    var phone: String?
    var firstName: String?
    var lastName: String?
    var company: String?
    var jobTitle: String?
    var createdAt: Date
    var updatedAt: Date

    struct Source: Encodable, Sendable {
        var integrationID: IntegrationID
        var recordID: RecordID
        var externalID: String

        enum CodingKeys: String, CodingKey {
            case integrationID = "integration_id"
            case recordID = "record_id"
            case externalID = "external_id"
        }
    }

    enum CodingKeys: String, CodingKey {
        case id, source, email, phone, company
        case firstName = "first_name"
        case lastName = "last_name"
        case jobTitle = "job_title"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    /// Every field is always there, null where it is not known.
    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.id, forKey: .id)
        try container.encode(self.source, forKey: .source)
        try container.encode(self.email, forKey: .email)
        try container.encode(self.phone, forKey: .phone)
        try container.encode(self.firstName, forKey: .firstName)
        try container.encode(self.lastName, forKey: .lastName)
        try container.encode(self.company, forKey: .company)
        try container.encode(self.jobTitle, forKey: .jobTitle)
        try container.encode(self.createdAt, forKey: .createdAt)
        try container.encode(self.updatedAt, forKey: .updatedAt)
    }
}

extension Contact: RowDecodable {
    static let columns: StaticString = """
        id, integration_id, record_id, external_id, email, phone, first_name, last_name, company, job_title, created_at, updated_at
        """

    init(row: Row) throws {
        self.id = try row.get("id")
        self.source = Source(
            integrationID: try row.get("integration_id"),
            recordID: try row.get("record_id"),
            externalID: try row.get("external_id")
        )
        self.email = try row.get("email")
        self.phone = try row.get("phone")
        self.firstName = try row.get("first_name")
        self.lastName = try row.get("last_name")
        self.company = try row.get("company")
        self.jobTitle = try row.get("job_title")
        self.createdAt = try row.get("created_at")
        self.updatedAt = try row.get("updated_at")
    }
}
