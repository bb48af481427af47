import Database
import Models

/// The change feed as campaigns follows it.
struct ChangeFeedStore: Sendable {
    let database: Postgres

    /// Head and changes of one snapshot.
    func page(after position: Int64, limit: Int, in organization: OrganizationID) async throws -> ChangePage {
        let rows = try await self.database.read(
            """
            SELECT head.position AS head, change.position, change.record_id, change.integration_id, change.kind, change.operation,
                change.contact
            FROM change_heads AS head
            LEFT JOIN LATERAL (
                SELECT position, record_id, integration_id, kind, operation, contact FROM changes
                WHERE organization_id = head.organization_id AND position > \(position)::bigint
                ORDER BY position
                LIMIT \(limit)::bigint
            ) AS change ON TRUE
            WHERE head.organization_id = \(organization)
            ORDER BY change.position
            """,
            as: FeedRow.self
        )
        return ChangePage(changes: rows.compactMap(\.change), head: rows.first?.head ?? 0)
    }

    func heads(after organization: OrganizationID?, limit: Int) async throws -> ChangeHeads {
        let rows = try await self.database.read(
            """
            SELECT organization_id, position FROM change_heads
            WHERE organization_id > \(organization?.rawValue ?? 0)::bigint
            ORDER BY organization_id
            LIMIT \(limit)::bigint
            """,
            as: HeadRow.self
        )
        return ChangeHeads(heads: rows.map(\.head))
    }

    private struct FeedRow: RowDecodable {
        let head: Int64
        let change: RecordChange?

        init(row: Row) throws {
            self.head = try row.get("head")
            guard let position = try row.get("position", as: Int64?.self) else {
                self.change = nil
                return
            }
            let contact = try row.get("contact", as: JSONValue?.self)
            self.change = RecordChange(
                position: position,
                recordID: try row.get("record_id"),
                integrationID: try row.get("integration_id"),
                kind: try row.get("kind"),
                operation: try row.get("operation"),
                contact: contact.flatMap(ContactFields.init(json:))
            )
        }
    }

    private struct HeadRow: RowDecodable {
        let head: ChangeHeads.Head

        init(row: Row) throws {
            self.head = ChangeHeads.Head(organizationID: try row.get("organization_id"), position: try row.get("position"))
        }
    }
}

extension RecordKind: SQLDecodable {}
extension RecordChange.Operation: SQLDecodable {}
