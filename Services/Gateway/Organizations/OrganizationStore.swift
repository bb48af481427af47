import Database
import Models

/// One of a user's organizations.
struct Belonging: Sendable {
    var organization: OrganizationSummary
    var role: Role
}

extension Belonging: RowDecodable {
    init(row: Row) throws {
        self.organization = OrganizationSummary(id: try row.get("id"), name: try row.get("name"), tier: try row.get("tier"))
        self.role = try row.get("role")
    }
}

/// An organization with its new name, and the name before.
struct Renaming: RowDecodable {
    var organization: OrganizationSummary
    var before: String

    init(row: Row) throws {
        self.organization = OrganizationSummary(id: try row.get("id"), name: try row.get("name"), tier: try row.get("tier"))
        self.before = try row.get("old_name")
    }
}

struct OrganizationStore: Sendable {
    let database: Postgres
    let audit: AuditStore

    /// With its first member, who owns it.
    func create(_ name: String, owner: UserID, by origin: AuditOrigin, _ transaction: Transaction) throws -> OrganizationID {
        let id = try transaction.first("INSERT INTO organizations (name) VALUES (\(name)) RETURNING id", as: OrganizationID.self)
        guard let id else { throw Problem(.internal, "The organization was not stored.") }
        try transaction.write("INSERT INTO memberships (organization_id, user_id, role) VALUES (\(id), \(owner), \(Role.owner))")
        try self.audit.record(AuditChange(action: "organization.created", target: "organization:\(id)"), by: origin, in: id, transaction)
        return id
    }

    /// The organizations of a user, newest first.
    func list(of user: UserID, _ page: PageRequest) async throws -> [Belonging] {
        try await self.database.read(
            """
            SELECT o.id, o.name, o.tier, m.role FROM memberships m JOIN organizations o ON o.id = m.organization_id
            WHERE m.user_id = \(user) AND m.organization_id < \(page.before ?? .max)
            ORDER BY m.organization_id DESC
            LIMIT \(page.limit + 1)
            """
        )
    }

    /// - Returns: nil where there is no such organization.
    func rename(_ organization: OrganizationID, to name: String, _ transaction: Transaction) throws -> Renaming? {
        try transaction.first(
            """
            UPDATE organizations SET name = \(name)
            FROM (SELECT id, name FROM organizations WHERE id = \(organization) FOR NO KEY UPDATE) AS old
            WHERE organizations.id = old.id
            RETURNING organizations.id, organizations.name, organizations.tier, old.name AS old_name
            """,
            as: Renaming.self
        )
    }

    /// Held by whatever changes who belongs to an organization and as what: rules about all of its members are judged on what stands still.
    func lockMembers(of organization: OrganizationID, _ transaction: Transaction) throws {
        _ = try transaction.first(
            "SELECT id FROM organizations WHERE id = \(organization) FOR NO KEY UPDATE",
            as: OrganizationID.self
        )
    }
}
