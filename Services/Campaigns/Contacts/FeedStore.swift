import Database
import Foundation
import Models

/// Contacts as the change feed tells them, and the position up to which it has been applied.
struct FeedStore: Sendable {
    let database: Postgres

    func position(of organization: OrganizationID) async throws -> Int64 {
        try await self.database.readFirst("SELECT position FROM feed_cursors WHERE organization_id = \(organization)", as: Int64.self) ?? 0
    }

    /// The organizations among `heads` whose feed goes on beyond what was applied.
    func behind(_ heads: [ChangeHeads.Head]) async throws -> [OrganizationID] {
        guard !heads.isEmpty else { return [] }
        let rows = try await self.database.read(
            """
            SELECT head.organization_id
            FROM unnest(\(heads.map(\.organizationID))::bigint[], \(heads.map(\.position))::bigint[]) AS head (organization_id, position)
            LEFT JOIN feed_cursors USING (organization_id)
            WHERE head.position > coalesce(feed_cursors.position, 0)
            """,
            as: Int64.self
        )
        return rows.map { OrganizationID($0) }
    }

    /// Applies a page and moves the cursor with it; false when another follower has moved the cursor since it was read.
    func apply(_ page: FeedPage, of organization: OrganizationID, from old: Int64, to new: Int64) async throws -> Bool {
        try await self.database.transaction { transaction in
            // First, so that its row lock makes two followers of one organization take turns.
            let moved = try transaction.write(
                """
                INSERT INTO feed_cursors (organization_id, position) VALUES (\(organization), \(new))
                ON CONFLICT (organization_id) DO UPDATE SET position = excluded.position, updated_at = now()
                WHERE feed_cursors.position = \(old)
                """
            )
            guard moved == 1 else { return false }
            try transaction.planByKeys()
            if !page.upserts.isEmpty { try transaction.write(Self.upsert(page.upserts, organization)) }
            if !page.deletes.isEmpty { try transaction.write(Self.delete(page.deletes, organization)) }
            return true
        }
    }

    private static func upsert(_ upserts: [(key: FeedPage.Key, fields: ContactFields)], _ organization: OrganizationID) -> Query {
        let mailboxes = upserts.map { $0.fields.email.flatMap(Mailbox.init) }
        let emails = zip(upserts, mailboxes).map { $1?.address ?? $0.fields.email }
        return """
            INSERT INTO contacts (
                organization_id, integration_id, record_id, external_id, email, email_key, phone,
                first_name, last_name, company, job_title, source_updated_at
            )
            SELECT \(organization)::bigint, change.* FROM unnest(
                \(upserts.map(\.key.integrationID))::bigint[], \(upserts.map(\.key.recordID))::bigint[],
                \(upserts.map(\.fields.externalID))::text[], \(emails)::text[], \(mailboxes.map { $0?.key })::text[],
                \(upserts.map(\.fields.phone))::text[], \(upserts.map(\.fields.firstName))::text[],
                \(upserts.map(\.fields.lastName))::text[], \(upserts.map(\.fields.company))::text[],
                \(upserts.map(\.fields.jobTitle))::text[], \(upserts.map(\.fields.updatedAt))::timestamptz[]
            ) AS change
            ON CONFLICT (organization_id, integration_id, record_id) DO UPDATE SET
                external_id = excluded.external_id, email = excluded.email, email_key = excluded.email_key, phone = excluded.phone,
                first_name = excluded.first_name, last_name = excluded.last_name, company = excluded.company,
                job_title = excluded.job_title, source_updated_at = excluded.source_updated_at,
                is_deleted = false, updated_at = now()
            """
    }

    /// The row stays because messages name it; what it told of the person does not.
    private static func delete(_ keys: [FeedPage.Key], _ organization: OrganizationID) -> Query {
        """
        UPDATE contacts SET
            email = NULL, email_key = NULL, phone = NULL, first_name = NULL, last_name = NULL, company = NULL, job_title = NULL,
            is_deleted = true, updated_at = now()
        FROM (
            SELECT \(organization)::bigint AS organization_id, deleted.*
            FROM unnest(\(keys.map(\.integrationID))::bigint[], \(keys.map(\.recordID))::bigint[]) AS deleted (integration_id, record_id)
            OFFSET 0
        ) AS gone
        WHERE contacts.organization_id = gone.organization_id
            AND contacts.integration_id = gone.integration_id AND contacts.record_id = gone.record_id
        """
    }
}
