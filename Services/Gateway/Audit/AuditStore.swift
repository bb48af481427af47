import Database
import Encryption
import Foundation
import Models
import ServiceKit

/// Who makes a change, and from where.
struct AuditOrigin: Sendable {
    var actor: String
    var address: String?
    var requestID: String?

    init(actor: String, address: String?, requestID: String?) {
        self.actor = actor
        self.address = address
        self.requestID = requestID
    }

    init(_ context: CallerContext) {
        self.init(actor: context.principal.actor, address: context.clientAddress, requestID: context.requestID)
    }

    /// Who sits at a service's command line.
    static let `operator` = AuditOrigin(actor: "operator", address: nil, requestID: nil)
}

/// One change of the gateway's own; without secrets. Where something changes, `details` holds `before` and `after`.
struct AuditChange: Sendable {
    var action: String
    var target: String
    var details: JSONValue = [:]
}

/// The append-only log. The runtime role can add to it and read it, nothing else. Entries of an organization are chained (``AuditChain``): who
/// adds one holds the organization's head until the transaction ends, so record last, after every other lock of the transaction.
struct AuditStore: Sendable {
    let database: Postgres
    let chain: AuditChain

    /// In the transaction of the change itself: neither happens without the other.
    func record(_ change: AuditChange, by origin: AuditOrigin, in organization: OrganizationID, _ transaction: Transaction) throws {
        let entry = AuditEntry(
            id: EventID.make("aud"),
            organizationID: organization,
            service: .gateway,
            actor: origin.actor,
            action: change.action,
            target: change.target,
            details: change.details,
            address: origin.address,
            requestID: origin.requestID,
            timestamp: Date()
        )
        try self.append([entry], transaction)
    }

    /// Entries of the other services; those that are there already stay as they are.
    /// - Returns: how many were new.
    func take(_ entries: [AuditEntry]) async throws -> Int {
        guard !entries.isEmpty else { return 0 }
        return try await self.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            try self.append(entries, transaction)
        }
    }

    // MARK: - Adding to the chain

    private struct Key: Hashable {
        var organization: OrganizationID
        var id: String
    }

    /// - Returns: how many were new.
    @discardableResult
    private func append(_ entries: [AuditEntry], _ transaction: Transaction) throws -> Int {
        // Always in this order, so that two batches never wait for each other.
        let organizations = Set(entries.map(\.organizationID)).sorted()
        var heads = try self.lockHeads(of: organizations, transaction)
        var seen: Set<Key> = []
        var links: [(row: AuditRow, tag: KeyedTags.Tag)] = []
        for var row in try self.missing(entries, transaction) where seen.insert(Key(organization: row.organization, id: row.id)).inserted {
            let head = heads[row.organization] ?? .empty(row.organization)
            row.position = head.position + 1
            let tag = try self.chain.link(row, after: head)
            heads[row.organization] = AuditHead(organization: row.organization, position: row.position, mac: tag.bytes)
            links.append((row, tag))
        }
        guard !links.isEmpty else { return 0 }
        let moved = Set(links.map(\.row.organization)).sorted().compactMap { heads[$0] }
        try transaction.pipeline([Self.insertion(of: links), Self.movement(to: moved)])
        return links.count
    }

    private func lockHeads(of organizations: [OrganizationID], _ transaction: Transaction) throws -> [OrganizationID: AuditHead] {
        let locking: Query = """
            SELECT organization_id, position, mac FROM audit_heads
            WHERE organization_id = ANY(\(organizations)::bigint[]) ORDER BY organization_id FOR UPDATE
            """
        // One head cannot be locked in a wrong order: it is there nearly always, and costs one statement.
        if organizations.count == 1 {
            let heads = try transaction.rows(locking, as: AuditHead.self)
            if !heads.isEmpty { return Dictionary(heads.map { ($0.organization, $0) }, uniquingKeysWith: { $1 }) }
        }
        try transaction.write(
            """
            INSERT INTO audit_heads (organization_id, position, mac)
            SELECT organization, 0, '' FROM unnest(\(organizations)::bigint[]) AS organization ORDER BY organization
            ON CONFLICT (organization_id) DO NOTHING
            """
        )
        let heads = try transaction.rows(locking, as: AuditHead.self)
        return Dictionary(heads.map { ($0.organization, $0) }, uniquingKeysWith: { $1 })
    }

    /// The entries that are not stored yet, with the texts and times that Postgres will keep: those are what the MAC is made of.
    private func missing(_ entries: [AuditEntry], _ transaction: Transaction) throws -> [AuditRow] {
        try transaction.rows(
            """
            SELECT organization_id, 0 AS position, id, service, actor, action, target, details::jsonb::text AS details, address, request_id,
                (EXTRACT(EPOCH FROM timestamp) * 1000000)::bigint AS timestamp, (EXTRACT(EPOCH FROM now()) * 1000000)::bigint AS recorded_at
            FROM unnest(
                \(entries.map(\.organizationID))::bigint[], \(entries.map(\.id))::text[], \(entries.map(\.service.rawValue))::text[],
                \(entries.map(\.actor))::text[], \(entries.map(\.action))::text[], \(entries.map(\.target))::text[],
                \(entries.map(\.details.text))::text[], \(entries.map(\.address))::text[], \(entries.map(\.requestID))::text[],
                \(entries.map { Optional($0.timestamp) })::timestamptz[]
            ) WITH ORDINALITY
                AS entry (organization_id, id, service, actor, action, target, details, address, request_id, timestamp, place)
            WHERE NOT EXISTS (
                SELECT FROM audit_logs WHERE audit_logs.organization_id = entry.organization_id AND audit_logs.id = entry.id
            )
            ORDER BY place
            """
        )
    }

    private static func insertion(of links: [(row: AuditRow, tag: KeyedTags.Tag)]) -> Query {
        let rows = links.map(\.row)
        return """
            INSERT INTO audit_logs (
                organization_id, position, id, service, actor, action, target, details, address, request_id, timestamp, recorded_at,
                mac_key, mac
            )
            SELECT organization_id, position, id, service, actor, action, target, details::jsonb, address, request_id,
                \(Self.time("timestamp")), \(Self.time("recorded_at")), mac_key, decode(mac, 'hex')
            FROM unnest(
                \(rows.map(\.organization))::bigint[], \(rows.map(\.position))::bigint[], \(rows.map(\.id))::text[],
                \(rows.map(\.service))::text[], \(rows.map(\.actor))::text[], \(rows.map(\.action))::text[], \(rows.map(\.target))::text[],
                \(rows.map(\.details))::text[], \(rows.map(\.address))::text[], \(rows.map(\.requestID))::text[],
                \(rows.map(\.timestamp))::bigint[], \(rows.map(\.recordedAt))::bigint[],
                \(links.map(\.tag.keyID))::text[], \(links.map { Hex.encode($0.tag.bytes) })::text[]
            ) AS entry (
                organization_id, position, id, service, actor, action, target, details, address, request_id, timestamp, recorded_at,
                mac_key, mac
            )
            """
    }

    /// Microseconds as a time, exactly: through float8 the last digits would be lost.
    private static func time(_ column: StaticString) -> Query {
        "TIMESTAMPTZ '1970-01-01 00:00:00+00' + \(raw: column) * INTERVAL '1 microsecond'"
    }

    private static func movement(to heads: [AuditHead]) -> Query {
        """
        UPDATE audit_heads SET position = moved.position, mac = decode(moved.mac, 'hex')
        FROM unnest(
            \(heads.map(\.organization))::bigint[], \(heads.map(\.position))::bigint[], \(heads.map { Hex.encode($0.mac) })::text[]
        ) AS moved (organization_id, position, mac)
        WHERE audit_heads.organization_id = moved.organization_id
        """
    }
}

extension AuditHead: RowDecodable {
    init(row: Row) throws {
        self.organization = try row.get("organization_id")
        self.position = try row.get("position")
        self.mac = try row.get("mac")
    }
}

extension AuditRow: RowDecodable {
    init(row: Row) throws {
        self.organization = try row.get("organization_id")
        self.position = try row.get("position")
        self.id = try row.get("id")
        self.service = try row.get("service")
        self.actor = try row.get("actor")
        self.action = try row.get("action")
        self.target = try row.get("target")
        self.details = try row.get("details")
        self.address = try row.get("address")
        self.requestID = try row.get("request_id")
        self.timestamp = try row.get("timestamp")
        self.recordedAt = try row.get("recorded_at")
    }
}
