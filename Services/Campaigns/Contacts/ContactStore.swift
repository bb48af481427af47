import Database
import Models

struct ContactStore: Sendable {
    let database: Postgres

    func find(_ id: ContactID, in organization: OrganizationID) async throws -> Contact? {
        try await self.database.readFirst(
            """
            SELECT \(raw: Contact.columns) FROM contacts
            WHERE organization_id = \(organization) AND id = \(id) AND NOT is_deleted
            """
        )
    }

    /// Newest first, one more than the page holds.
    func list(_ page: PageRequest, mailbox: Mailbox?, in organization: OrganizationID) async throws -> [Contact] {
        var query: Query = """
            SELECT \(raw: Contact.columns) FROM contacts
            WHERE organization_id = \(organization) AND NOT is_deleted
            """
        if let before = page.before { query = query + " AND id < \(before)" }
        if let mailbox { query = query + " AND email_key = \(mailbox.key)" }
        return try await self.database.read(query + " ORDER BY id DESC LIMIT \(page.limit + 1)")
    }
}
