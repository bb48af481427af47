import Database
import Models

/// Audit entries about a user, who may be a member of several organizations: each of them learns of it.
struct UserTrail: Sendable {
    let audit: AuditStore

    func record(_ action: String, of user: UserID, details: JSONValue = [:], by origin: AuditOrigin, _ transaction: Transaction) throws {
        let change = AuditChange(action: action, target: "user:\(user)", details: details)
        for organization in try self.organizations(of: user, transaction) {
            try self.audit.record(change, by: origin, in: organization, transaction)
        }
    }

    /// In one order for all, so that two entries about one user do not wait for each other crosswise.
    private func organizations(of user: UserID, _ transaction: Transaction) throws -> [OrganizationID] {
        try transaction.rows(
            "SELECT organization_id FROM memberships WHERE user_id = \(user) ORDER BY organization_id",
            as: OrganizationID.self
        )
    }
}
