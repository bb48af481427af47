import Database
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
}

/// One change of the gateway's own; without secrets.
struct AuditChange: Sendable {
    var action: String
    var target: String
    var details: JSONValue = [:]
}

/// The append-only log. The runtime role can add to it and read it, nothing else.
struct AuditStore: Sendable {
    let database: Postgres

    /// In the transaction of the change itself: neither happens without the other.
    func record(_ change: AuditChange, by origin: AuditOrigin, in organization: OrganizationID, _ transaction: Transaction) throws {
        try transaction.write(
            """
            INSERT INTO audit_logs (organization_id, id, service, actor, action, target, details, address, request_id, timestamp)
            VALUES (
                \(organization), \(EventID.make("aud")), \(ServiceName.gateway.rawValue), \(origin.actor), \(change.action),
                \(change.target), \(change.details), \(origin.address), \(origin.requestID), now()
            )
            """
        )
    }

    /// Entries of the other services; those that are there already stay as they are.
    /// - Returns: how many were new.
    func take(_ entries: [AuditEntry]) async throws -> Int {
        guard !entries.isEmpty else { return 0 }
        return try await self.database.write(
            """
            INSERT INTO audit_logs (organization_id, id, service, actor, action, target, details, address, request_id, timestamp)
            SELECT organization_id, id, service, actor, action, target, details, address, request_id, timestamp FROM unnest(
                \(entries.map(\.organizationID))::bigint[], \(entries.map(\.id))::text[], \(entries.map(\.service.rawValue))::text[],
                \(entries.map(\.actor))::text[], \(entries.map(\.action))::text[], \(entries.map(\.target))::text[],
                \(entries.map(\.details))::jsonb[], \(entries.map(\.address))::text[], \(entries.map(\.requestID))::text[],
                \(entries.map { Optional($0.timestamp) })::timestamptz[]
            ) AS entry (organization_id, id, service, actor, action, target, details, address, request_id, timestamp)
            ON CONFLICT (organization_id, id) DO NOTHING
            """
        )
    }
}
