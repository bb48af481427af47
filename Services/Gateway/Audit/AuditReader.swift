import Database
import Foundation
import HTTPTypes
import Hummingbird
import Models
import ServiceKit

/// `?action=&actor=&service=&from=&to=` of the audit log; what is not given does not narrow.
struct AuditFilter: Sendable, Equatable {
    var action: String?
    var actor: String?
    var service: String?
    /// From here on.
    var from: Date?
    /// Before this.
    var to: Date?

    static let names: Set<String> = ["action", "actor", "service", "from", "to"]

    /// - Throws: one validation problem that names every fault.
    init(_ request: Request) throws {
        var faults: [Problem.Fault] = []
        self.action = request.query("action")
        self.actor = request.query("actor")
        self.service = request.query("service")
        self.from = request.time("from", &faults)
        self.to = request.time("to", &faults)
        if let service, ServiceName(rawValue: service) == nil {
            let known = ServiceName.allCases.map(\.rawValue).joined(separator: ", ")
            faults.append(.init(pointer: "?service", detail: "must be one of \(known)"))
        }
        if let from, let to, from >= to { faults.append(.init(pointer: "?to", detail: "must lie after from")) }
        guard faults.isEmpty else { throw Problem.validation(faults) }
    }
}

extension Request {
    /// A query parameter as a time; nil where it is not given.
    func time(_ name: String, _ faults: inout [Problem.Fault]) -> Date? {
        guard let text = self.query(name) else { return nil }
        let date = Timestamp.parse(text)
        if date == nil { faults.append(.init(pointer: "?\(name)", detail: "must be a time like 2026-11-22T08:30:00Z")) }
        return date
    }
}

/// Reads the log for people.
struct AuditReader: Sendable {
    let database: Postgres

    /// Newest first, by place in the chain.
    func list(_ filter: AuditFilter, _ page: PageRequest, in organization: OrganizationID) async throws -> [AuditLogItem] {
        var query: Query = """
            SELECT id, position, service, actor, action, target, details, address, request_id, timestamp, recorded_at
            FROM audit_logs
            WHERE organization_id = \(organization) AND position < \(page.before ?? .max)
            """
        if let action = filter.action { query += " AND action = \(action)" }
        if let actor = filter.actor { query += " AND actor = \(actor)" }
        if let service = filter.service { query += " AND service = \(service)" }
        if let from = filter.from { query += " AND timestamp >= \(from)" }
        if let to = filter.to { query += " AND timestamp < \(to)" }
        query += " ORDER BY position DESC LIMIT \(page.limit + 1)"
        return try await self.database.read(query)
    }
}

/// An entry in answers.
struct AuditLogItem: Encodable, Sendable, RowDecodable {
    var id: String
    /// Its place in the organization's chain; entries from before there was a chain stand at 0 and below.
    var position: Int64
    var service: String
    var actor: String
    var action: String
    var target: String
    var details: JSONValue
    var address: String?
    var requestID: String?
    var timestamp: Date
    var recordedAt: Date

    private enum CodingKeys: String, CodingKey {
        case id, position, service, actor, action, target, details, address, timestamp
        case requestID = "request_id"
        case recordedAt = "recorded_at"
    }

    init(row: Row) throws {
        self.id = try row.get("id")
        self.position = try row.get("position")
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

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.id, forKey: .id)
        try container.encode(self.position, forKey: .position)
        try container.encode(self.service, forKey: .service)
        try container.encode(self.actor, forKey: .actor)
        try container.encode(self.action, forKey: .action)
        try container.encode(self.target, forKey: .target)
        try container.encode(self.details, forKey: .details)
        try container.encode(self.address, forKey: .address)
        try container.encode(self.requestID, forKey: .requestID)
        try container.encode(self.timestamp, forKey: .timestamp)
        try container.encode(self.recordedAt, forKey: .recordedAt)
    }
}
