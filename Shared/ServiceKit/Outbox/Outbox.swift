package import Database
import Foundation
package import Models

/// Facts for other services, written with what they tell of and relayed after the commit.
package struct Outbox: Sendable {
    private let service: ServiceName
    let wake: WakeSignal

    package init(service: ServiceName, database: Postgres) {
        self.service = service
        self.wake = WakeSignal("\(service.rawValue)_outbox", database: database)
    }

    /// Answers the event's id (`evt_` + UUIDv7). Wakes the relay at commit. Webhooks keeps its own events in its own tables.
    @discardableResult
    package func append(_ type: EventType, _ data: JSONValue, for organization: OrganizationID, in transaction: Transaction) throws
        -> String
    {
        precondition(self.service != .webhooks, "webhooks writes its own events where it keeps all of them")
        let event = Event(id: EventID.make("evt"), type: type.rawValue, timestamp: Date(), data: data)
        try self.insert(event.id, "webhooks", event.json, organization, in: transaction)
        return event.id
    }

    package func audit(
        _ action: String,
        target: String,
        details: JSONValue = [:],
        by context: CallerContext,
        in transaction: Transaction
    ) throws {
        try self.audit(
            AuditEntry(
                id: EventID.make("aud"),
                organizationID: context.organizationID,
                service: self.service,
                actor: context.principal.actor,
                action: action,
                target: target,
                details: details,
                address: context.clientAddress,
                requestID: context.requestID,
                timestamp: Date()
            ),
            in: transaction
        )
    }

    /// What the house itself did: a worker that disabled something, a reconciliation.
    package func auditSystem(
        _ action: String,
        target: String,
        details: JSONValue = [:],
        for organization: OrganizationID,
        in transaction: Transaction
    ) throws {
        try self.audit(
            AuditEntry(
                id: EventID.make("aud"),
                organizationID: organization,
                service: self.service,
                actor: "system",
                action: action,
                target: target,
                details: details,
                requestID: RequestScope.current?.requestID,
                timestamp: Date()
            ),
            in: transaction
        )
    }

    /// Tells members of the organization, by the gateway: in their feed and by mail. Title and detail hold no secret; they are made one clean
    /// line each.
    /// - key: names the trouble: what repeats within a day is told once and counted.
    package func notify(
        _ kind: NoticeKind,
        about subject: NoticeSubject,
        title: String,
        detail: String,
        key: String,
        for organization: OrganizationID,
        in transaction: Transaction
    ) throws {
        precondition(self.service == kind.service, "\(kind.rawValue) is raised by \(kind.service.rawValue)")
        precondition(self.service != .gateway, "the gateway keeps its own notices where it keeps all of them")
        let notice = Notice(
            id: EventID.make("ntc"),
            organizationID: organization,
            kind: kind,
            subject: subject,
            title: title,
            detail: detail,
            key: key,
            timestamp: Date()
        )
        try self.insert(notice.id, "gateway", try JSONValue(parsing: try JSONCoding.encode(notice)), organization, in: transaction)
    }

    private func audit(_ entry: AuditEntry, in transaction: Transaction) throws {
        precondition(self.service != .gateway, "the gateway writes its own audit entries where it keeps all of them")
        let body = try JSONValue(parsing: try JSONCoding.encode(entry))
        try self.insert(entry.id, "gateway", body, entry.organizationID, in: transaction)
    }

    private func insert(
        _ id: String,
        _ destination: String,
        _ body: JSONValue,
        _ organization: OrganizationID,
        in transaction: Transaction
    ) throws {
        try transaction.write(
            "INSERT INTO outbox (organization_id, id, destination, body) VALUES (\(organization), \(id), \(destination), \(body))"
        )
        try transaction.notify(self.wake.channel)
    }
}

extension Event {
    /// `{"id","type","timestamp","data"}`.
    package var json: JSONValue {
        [
            "id": .string(self.id), "type": .string(self.type),
            "timestamp": .string(Timestamp.format(self.timestamp)), "data": self.data,
        ]
    }
}
