import Database
import Foundation
import Models

extension SyncStore {
    struct PageResult: Sendable, Equatable {
        var created = 0
        var updated = 0
        var deleted = 0
        var hasChanges: Bool { self.created + self.updated + self.deleted > 0 }
    }

    /// Records, change feed, cursor, counts and lease of one page, in one transaction.
    /// - Returns: nil where the fence is gone: nothing was written.
    func apply(_ page: ContactPage, of run: SyncRun) async throws -> PageResult? {
        do {
            return try await self.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
                var result = PageResult()
                if !page.contacts.isEmpty {
                    let written = try transaction.first(self.upsert(page.contacts, of: run), as: Written.self)
                    result.created = written?.created ?? 0
                    result.updated = written?.updated ?? 0
                }
                if !page.deleted.isEmpty {
                    result.deleted = try transaction.first(self.markDeleted(page.deleted, of: run), as: Int.self) ?? 0
                }
                let affected = try transaction.pipeline([self.saveCursor(page, of: run), self.move(run, page, result)])
                guard affected.last == 1 else { throw FenceGone() }
                return result
            }
        } catch is FenceGone {
            return nil
        }
    }

    private struct FenceGone: Error {}

    private struct Written: RowDecodable {
        let created: Int
        let updated: Int

        init(row: Row) throws {
            self.created = try row.get("created")
            self.updated = try row.get("updated")
        }
    }

    /// One statement: unchanged records are left alone, the others take the next positions under the locked head row.
    private func upsert(_ contacts: [SourceContact], of run: SyncRun) -> Query {
        // The last mention of a contact in a page wins: one statement cannot touch a row twice.
        let contacts = Array(
            Dictionary(contacts.map { ($0.fields.externalID, $0) }, uniquingKeysWith: { $1 }).values
        ).sorted { $0.fields.externalID < $1.fields.externalID }
        let fields = contacts.map(\.fields)
        return """
            WITH input AS (
                SELECT given.external_id, given.email, given.phone, given.first_name, given.last_name, given.company, given.job_title,
                    given.provider_updated_at, given.raw, decode(given.payload_hash, 'hex') AS payload_hash, given.contact
                FROM unnest(
                    \(fields.map(\.externalID))::text[], \(fields.map(\.email))::text[], \(fields.map(\.phone))::text[],
                    \(fields.map(\.firstName))::text[], \(fields.map(\.lastName))::text[], \(fields.map(\.company))::text[],
                    \(fields.map(\.jobTitle))::text[], \(fields.map(\.updatedAt))::timestamptz[], \(contacts.map(\.raw))::jsonb[],
                    \(contacts.map(\.payloadHash))::text[], \(fields.map(\.json))::jsonb[]
                ) AS given (external_id, email, phone, first_name, last_name, company, job_title, provider_updated_at, raw, payload_hash,
                    contact)
            ),
            upserted AS (
                INSERT INTO records (organization_id, integration_id, kind, external_id, email, phone, first_name, last_name, company,
                    job_title, provider_updated_at, raw, payload_hash)
                SELECT \(run.organizationID)::bigint, \(run.integrationID)::bigint, \(Self.kind.rawValue)::text, external_id, email, phone,
                    first_name, last_name, company, job_title, provider_updated_at, raw, payload_hash
                FROM input
                ON CONFLICT (organization_id, integration_id, kind, external_id) DO UPDATE
                SET email = excluded.email, phone = excluded.phone, first_name = excluded.first_name, last_name = excluded.last_name,
                    company = excluded.company, job_title = excluded.job_title, provider_updated_at = excluded.provider_updated_at,
                    raw = excluded.raw, payload_hash = excluded.payload_hash, deleted = FALSE, updated_at = now()
                WHERE records.payload_hash <> excluded.payload_hash OR records.deleted
                RETURNING id, external_id, xmax = 0 AS is_new
            ),
            head AS (
                INSERT INTO change_heads (organization_id, position)
                SELECT \(run.organizationID)::bigint, count(*) FROM upserted HAVING count(*) > 0
                ON CONFLICT (organization_id) DO UPDATE SET position = change_heads.position + excluded.position
                RETURNING position
            ),
            appended AS (
                INSERT INTO changes (organization_id, position, record_id, integration_id, kind, operation, contact)
                SELECT \(run.organizationID)::bigint,
                    head.position - (SELECT count(*) FROM upserted) + row_number() OVER (ORDER BY upserted.id),
                    upserted.id, \(run.integrationID)::bigint, \(Self.kind.rawValue)::text, 'upsert', input.contact
                FROM upserted JOIN input ON input.external_id = upserted.external_id CROSS JOIN head
            )
            SELECT count(*) FILTER (WHERE is_new) AS created, count(*) FILTER (WHERE NOT is_new) AS updated FROM upserted
            """
    }

    private func markDeleted(_ externalIDs: [String], of run: SyncRun) -> Query {
        """
        WITH gone AS (
            UPDATE records SET deleted = TRUE, updated_at = now()
            WHERE organization_id = \(run.organizationID)::bigint AND integration_id = \(run.integrationID)::bigint
                AND kind = \(Self.kind.rawValue)::text AND external_id = ANY(\(externalIDs)::text[]) AND NOT deleted
            RETURNING id
        ),
        head AS (
            INSERT INTO change_heads (organization_id, position)
            SELECT \(run.organizationID)::bigint, count(*) FROM gone HAVING count(*) > 0
            ON CONFLICT (organization_id) DO UPDATE SET position = change_heads.position + excluded.position
            RETURNING position
        ),
        appended AS (
            INSERT INTO changes (organization_id, position, record_id, integration_id, kind, operation)
            SELECT \(run.organizationID)::bigint,
                head.position - (SELECT count(*) FROM gone) + row_number() OVER (ORDER BY gone.id),
                gone.id, \(run.integrationID)::bigint, \(Self.kind.rawValue)::text, 'delete'
            FROM gone CROSS JOIN head
        )
        SELECT count(*) AS deleted FROM gone
        """
    }

    private func saveCursor(_ page: ContactPage, of run: SyncRun) -> Query {
        """
        INSERT INTO sync_cursors (organization_id, integration_id, kind, cursor, is_complete)
        VALUES (\(run.organizationID)::bigint, \(run.integrationID)::bigint, \(Self.kind.rawValue), \(page.next)::jsonb,
            \(page.completesFullPass)::boolean)
        ON CONFLICT (organization_id, integration_id, kind) DO UPDATE
        SET cursor = excluded.cursor, is_complete = sync_cursors.is_complete OR excluded.is_complete, updated_at = now()
        """
    }

    private func move(_ run: SyncRun, _ page: ContactPage, _ result: PageResult) -> Query {
        """
        UPDATE sync_runs
        SET pages = pages + 1, fetched = fetched + \(page.contacts.count + result.deleted)::bigint,
            created = created + \(result.created)::bigint, updated = updated + \(result.updated)::bigint,
            deleted = deleted + \(result.deleted)::bigint, failures = 0,
            claimable_at = now() + make_interval(secs => \(self.lease.seconds)::double precision)
        WHERE organization_id = \(run.organizationID) AND id = \(run.id) AND fence = \(run.fence) AND state = 'running'
        """
    }
}

extension ContactFields {
    /// The feed's snapshot; what the provider does not have is left out.
    var json: JSONValue {
        var members: [String: JSONValue] = [CodingKeys.externalID.rawValue: .string(self.externalID)]
        let texts: [(CodingKeys, String?)] = [
            (.email, self.email), (.phone, self.phone), (.firstName, self.firstName), (.lastName, self.lastName),
            (.company, self.company), (.jobTitle, self.jobTitle), (.updatedAt, self.updatedAt.map(Timestamp.format)),
        ]
        for (key, text) in texts { if let text { members[key.rawValue] = .string(text) } }
        return .object(members)
    }

    /// nil where the snapshot is not one of ``json``'s.
    init?(json: JSONValue) {
        guard let externalID = json[CodingKeys.externalID.rawValue]?.stringValue else { return nil }
        func text(_ key: CodingKeys) -> String? { json[key.rawValue]?.stringValue }
        self.init(
            externalID: externalID,
            email: text(.email),
            phone: text(.phone),
            firstName: text(.firstName),
            lastName: text(.lastName),
            company: text(.company),
            jobTitle: text(.jobTitle),
            updatedAt: text(.updatedAt).flatMap(Timestamp.parse)
        )
    }
}
