import Hummingbird
import Models
import ServiceKit

struct SendRoutes: Sendable {
    /// A batch is no larger than a few seconds of a provider's rate.
    static let maximumMessages = 1000

    let providers: Providers
    let integrations: IntegrationStore
    let house: SendSession.House

    func mount(on table: RouteTable) {
        table.mountInternal(.findSender, self.find)
        table.mountInternal(.sendMessages, self.send)
    }

    @Sendable private func find(_ request: Request, _ context: PeerContext) async throws -> Response {
        guard let organization = request.query("organization_id").flatMap(OrganizationID.init(_:)),
            let id = request.query("integration_id").flatMap(IntegrationID.init(_:)),
            let integration = try await self.integrations.find(id, in: organization)
        else { throw Problem.notFound }
        let sendsMail = self.providers[integration.provider]?.definition.has(.sendEmail) == true
        return try .json(Sender(provider: integration.provider, channels: sendsMail ? ["email"] : []))
    }

    @Sendable private func send(_ request: Request, _ context: PeerContext) async throws -> Response {
        let batch = try await request.decodeBody(SendBatch.self, limit: 64 << 20)
        try Self.check(batch)
        guard let connection = try await self.integrations.connection(batch.integrationID, in: batch.organizationID) else {
            throw Problem(.notFound, "The organization has no such integration.")
        }
        guard let sender = self.providers[connection.integration.provider]?.mail else {
            throw Problem(.conflict, "An integration of \(connection.integration.provider) sends no email.")
        }
        let session = SendSession(batch.messages, over: connection, by: self.gate(sender, connection), house: self.house)
        return Response(
            status: .ok,
            headers: [.contentType: "application/x-ndjson"],
            body: ResponseBody { writer in
                async let running: Void = session.run()
                var broken: (any Error)?
                for await outcome in session.outcomes where broken == nil {
                    do {
                        try await writer.write(ByteBuffer(bytes: try JSONCoding.encode(outcome) + [UInt8(ascii: "\n")]))
                    } catch {
                        broken = error
                        session.stop()
                    }
                }
                await running
                if let broken { throw broken }
                try await writer.finish(nil)
            }
        )
    }

    /// An integration that is paused, deleted or refused sends nothing; what was settled before is answered all the same.
    private func gate(_ sender: any MailSender, _ connection: Connection) -> any MailSender {
        let integration = connection.integration
        if integration.isDeleted { return ClosedSender(reason: "integration_deleted", retryAfter: 3600) }
        return switch integration.status {
        case .enabled: sender
        case .paused: ClosedSender(reason: "integration_paused", retryAfter: 60)
        case .needsAttention: ClosedSender(reason: "integration_needs_attention", retryAfter: 300)
        }
    }

    static func check(_ batch: SendBatch) throws {
        var faults: [Problem.Fault] = []
        if batch.messages.isEmpty || batch.messages.count > Self.maximumMessages {
            faults.append(.init(pointer: "/messages", detail: "must hold 1 to \(Self.maximumMessages) messages"))
        }
        var keys: Set<String> = []
        for (index, message) in batch.messages.enumerated() {
            let isKey = (1...200).contains(message.sendKey.utf8.count) && message.sendKey.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
            if !isKey {
                faults.append(.init(pointer: "/messages/\(index)/send_key", detail: "must be 1 to 200 printable ASCII characters"))
            }
            if !keys.insert(message.sendKey).inserted {
                faults.append(.init(pointer: "/messages/\(index)/send_key", detail: "is given twice in this batch"))
            }
        }
        guard faults.isEmpty else { throw Problem.validation(faults) }
    }
}

/// Stands in for the sender of an integration that must not send.
struct ClosedSender: MailSender {
    let reason: String
    let retryAfter: Double

    func lane(for connection: Connection) -> MailLane {
        MailLane(key: "closed:\(connection.integration.organizationID):\(connection.integration.id)", width: 1)
    }

    func send(_ message: EmailMessage, over connection: Connection, within limit: Duration) async -> SendResult {
        SendResult(.notSent, reason: self.reason, retryAfter: self.retryAfter, halts: true)
    }
}
