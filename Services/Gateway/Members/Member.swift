import Database
import Foundation
import Models

/// A member as the organization sees them.
struct Member: Sendable {
    var id: UserID
    var email: String
    var name: String
    var role: Role
    var joinedAt: Date
    /// The newest use of a session in this organization that is still stored.
    var lastUsedAt: Date?
}

extension Member: RowDecodable {
    init(row: Row) throws {
        self.id = try row.get("id")
        self.email = try row.get("email")
        self.name = try row.get("name")
        self.role = try row.get("role")
        self.joinedAt = try row.get("joined_at")
        self.lastUsedAt = try row.get("last_used_at")
    }
}

extension Member: Encodable {
    private enum CodingKeys: String, CodingKey {
        case id, email, name, role
        case joinedAt = "joined_at"
        case lastUsedAt = "last_used_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.id, forKey: .id)
        try container.encode(self.email, forKey: .email)
        try container.encode(self.name, forKey: .name)
        try container.encode(self.role, forKey: .role)
        try container.encode(self.joinedAt, forKey: .joinedAt)
        try container.encode(self.lastUsedAt, forKey: .lastUsedAt)
    }
}

/// What may happen to a membership, judged while nobody else changes who belongs to the organization.
enum MembershipRules {
    static let lastOwner = Problem(.conflict, "The last owner can neither leave nor take a lower role. Make somebody else an owner first.")

    /// - owners: of the organization, at this moment.
    /// - role: the member's next one; nil where they leave or are removed.
    static func check(_ member: UserID, becoming role: Role?, owners: Set<UserID>) throws(Problem) {
        guard owners == [member], role != .owner else { return }
        throw self.lastOwner
    }
}
