import Database
import Encryption
import Models

/// What is wrong with a chain, at its first broken place.
enum AuditFault: Sendable, Equatable {
    /// The row that should stand here is not there.
    case removed(position: Int64)
    /// The row was rewritten or moved, or was not written by a gateway.
    case altered(position: Int64)
    /// Rows stand behind the head.
    case beyondHead(position: Int64)
    /// The last rows are gone: the head names a later one.
    case truncated(last: Int64, head: Int64)
    /// The last row is not the one that the head names.
    case otherHead(position: Int64)
    /// The row at this place is not the one whose MAC was published.
    case otherThanPublished(position: Int64)
    /// Whether the row is right cannot be told: its key is in neither ENCRYPTION_KEY nor ENCRYPTION_KEYS_PREVIOUS.
    case unknownKey(position: Int64, key: String)

    var text: String {
        switch self {
        case .removed(let position): "broken at position \(position): the entry was removed"
        case .altered(let position): "broken at position \(position): the entry was rewritten or moved"
        case .beyondHead(let position): "broken at position \(position): entries stand behind the head"
        case .truncated(let last, let head): "broken at position \(last + 1): the head names position \(head), entries end at \(last)"
        case .otherHead(let position): "broken at position \(position): the head names another entry"
        case .otherThanPublished(let position): "broken at position \(position): the published MAC belongs to another entry"
        case .unknownKey(let position, let key): "cannot be checked from position \(position) on: key \(key) is not in the ring"
        }
    }
}

/// An organization's chain as it was found.
struct AuditVerdict: Sendable, Equatable {
    var organization: OrganizationID
    /// The last entry that was found right, or the head where all are.
    var head: AuditHead
    var fault: AuditFault?
}

/// The rules of walking a chain, row by row.
struct AuditWalk: Sendable {
    let chain: AuditChain
    /// A head that was seen elsewhere, such as in shipped logs.
    let published: AuditHead?
    private(set) var last: AuditHead

    init(_ chain: AuditChain, of organization: OrganizationID, published: AuditHead?) {
        self.chain = chain
        self.published = published
        self.last = .empty(organization)
    }

    mutating func fault(at row: AuditRow, _ tag: KeyedTags.Tag) throws -> AuditFault? {
        let expected = self.last.position + 1
        guard row.position == expected else { return .removed(position: expected) }
        do {
            guard try self.chain.isIntact(row, tag, after: self.last) else { return .altered(position: row.position) }
        } catch let error as EncryptionError where error.kind == .unknownKey {
            return .unknownKey(position: row.position, key: tag.keyID)
        }
        self.last = AuditHead(organization: row.organization, position: row.position, mac: tag.bytes)
        if let published, published.position == row.position, published.mac != tag.bytes {
            return .otherThanPublished(position: row.position)
        }
        return nil
    }

    /// When there are no more rows.
    func fault(with head: AuditHead?) -> AuditFault? {
        let head = head ?? .empty(self.last.organization)
        if head.position > self.last.position { return .truncated(last: self.last.position, head: head.position) }
        if head.position < self.last.position { return .beyondHead(position: head.position + 1) }
        if head.mac != self.last.mac { return .otherHead(position: head.position) }
        if let published, published.position > self.last.position {
            return .truncated(last: self.last.position, head: published.position)
        }
        return nil
    }
}

/// Walks the chains in the database, in pages.
struct AuditVerifier: Sendable {
    private static let page = 1_000

    let database: Postgres
    let chain: AuditChain

    /// Organizations that have entries or a head.
    func organizations(after organization: OrganizationID?) async throws -> [OrganizationID] {
        try await self.database.read(
            """
            SELECT organization_id FROM (
                SELECT organization_id FROM audit_heads UNION SELECT DISTINCT organization_id FROM audit_logs
            ) AS known
            WHERE organization_id > \(organization?.rawValue ?? 0) ORDER BY organization_id LIMIT \(Self.page)
            """,
            as: OrganizationID.self
        )
    }

    func verify(_ organization: OrganizationID, published: AuditHead? = nil) async throws -> AuditVerdict {
        if let position = try await self.firstBeyondHead(of: organization) {
            let head = AuditHead(organization: organization, position: position - 1, mac: [])
            return AuditVerdict(organization: organization, head: head, fault: .beyondHead(position: position))
        }
        // Entries that are added from here on stand behind this head and are left for the next walk.
        let head = try await self.database.readFirst(
            "SELECT organization_id, position, mac FROM audit_heads WHERE organization_id = \(organization)",
            as: AuditHead.self
        )
        var walk = AuditWalk(self.chain, of: organization, published: published)
        var rows: [ChainedRow]
        repeat {
            rows = try await self.rows(of: organization, from: walk.last.position + 1, to: head?.position ?? 0)
            for row in rows {
                guard let fault = try walk.fault(at: row.row, row.tag) else { continue }
                return AuditVerdict(organization: organization, head: walk.last, fault: fault)
            }
        } while rows.count == Self.page
        return AuditVerdict(organization: organization, head: walk.last, fault: walk.fault(with: head))
    }

    /// In one statement, so that a head that moves at the same time is no fault.
    private func firstBeyondHead(of organization: OrganizationID) async throws -> Int64? {
        try await self.database.read(
            """
            SELECT l.position FROM audit_logs l LEFT JOIN audit_heads h ON h.organization_id = l.organization_id
            WHERE l.organization_id = \(organization) AND l.position > COALESCE(h.position, 0)
            ORDER BY l.position LIMIT 1
            """,
            as: Int64.self
        ).first
    }

    private func rows(of organization: OrganizationID, from first: Int64, to last: Int64) async throws -> [ChainedRow] {
        try await self.database.read(
            """
            SELECT organization_id, position, id, service, actor, action, target, details::text AS details, address, request_id,
                (EXTRACT(EPOCH FROM timestamp) * 1000000)::bigint AS timestamp,
                (EXTRACT(EPOCH FROM recorded_at) * 1000000)::bigint AS recorded_at, mac_key, mac
            FROM audit_logs
            WHERE organization_id = \(organization) AND position BETWEEN \(first) AND \(last)
            ORDER BY position LIMIT \(Self.page)
            """
        )
    }
}

private struct ChainedRow: RowDecodable {
    var row: AuditRow
    var tag: KeyedTags.Tag

    init(row: Row) throws {
        self.row = try AuditRow(row: row)
        self.tag = KeyedTags.Tag(keyID: try row.get("mac_key"), bytes: try row.get("mac"))
    }
}
