import Database
import Foundation
import Models
import ServiceKit

/// A place in the organization that waits for somebody.
struct Invitation: Sendable {
    enum State: String, Encodable, Sendable, SQLDecodable { case open, accepted, expired }

    var id: InvitationID
    var email: String
    var role: Role
    var invitedBy: UserID
    var state: State
    var createdAt: Date
    var expiresAt: Date
    var acceptedAt: Date?
}

extension Invitation: RowDecodable {
    static let columns: StaticString = """
        id, email, role, invited_by, created_at, expires_at, accepted_at,
        CASE WHEN accepted_at IS NOT NULL THEN 'accepted' WHEN expires_at <= now() THEN 'expired' ELSE 'open' END AS state
        """

    init(row: Row) throws {
        self.id = try row.get("id")
        self.email = try row.get("email")
        self.role = try row.get("role")
        self.invitedBy = try row.get("invited_by")
        self.createdAt = try row.get("created_at")
        self.expiresAt = try row.get("expires_at")
        self.acceptedAt = try row.get("accepted_at")
        self.state = try row.get("state")
    }
}

/// An invitation in answers; `mail` only in the one that made it.
struct InvitationResponse: Encodable, Sendable {
    var invitation: Invitation
    var mail: MailFate?

    private enum CodingKeys: String, CodingKey {
        case id, email, role, state, mail
        case invitedBy = "invited_by"
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case acceptedAt = "accepted_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.invitation.id, forKey: .id)
        try container.encode(self.invitation.email, forKey: .email)
        try container.encode(self.invitation.role, forKey: .role)
        try container.encode(self.invitation.state, forKey: .state)
        try container.encodeIfPresent(self.mail, forKey: .mail)
        try container.encode(self.invitation.invitedBy, forKey: .invitedBy)
        try container.encode(self.invitation.createdAt, forKey: .createdAt)
        try container.encode(self.invitation.expiresAt, forKey: .expiresAt)
        try container.encode(self.invitation.acceptedAt, forKey: .acceptedAt)
    }
}

struct NewInvitation: Sendable {
    /// Seconds.
    static let lifetime = 7 * 86_400

    var email: String
    var role: Role

    init(_ body: JSONValue) throws {
        var reader = FieldReader(body)
        self.email = reader.email("email")
        self.role = reader.choice("role")
        try reader.finish()
    }
}

/// What the holder of an invitation's token may learn and use.
struct OpenInvitation: RowDecodable {
    var organization: OrganizationID
    var id: InvitationID
    var email: String
    var role: Role
    var invitedBy: UserID

    init(row: Row) throws {
        self.organization = try row.get("organization_id")
        self.id = try row.get("id")
        self.email = try row.get("email")
        self.role = try row.get("role")
        self.invitedBy = try row.get("invited_by")
    }
}
