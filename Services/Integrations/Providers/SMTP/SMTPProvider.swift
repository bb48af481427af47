import Models
import Transport

/// Any mail server that takes submissions (RFC 6409). The host comes from the tenant: the client is guarded.
struct SMTPProvider: Provider {
    static let key = "smtp"

    let client: SMTPClient
    /// Connections to one server, and so messages on their way at once.
    let lanes: Int
    /// The client's, which a message may need in full once it has gone out whole.
    let replyTimeout: Duration
    /// EHLO name.
    let clientName: String

    let definition: ProviderDefinition

    /// - guardRules: the client's, so that a host that is never connected to is refused when it is given.
    init(client: SMTPClient, lanes: Int, replyTimeout: Duration, clientName: String, guardRules: OutboundGuard?) {
        self.client = client
        self.lanes = lanes
        self.replyTimeout = replyTimeout
        self.clientName = clientName
        self.definition = Self.definition(guardRules)
    }

    private static func definition(_ guardRules: OutboundGuard?) -> ProviderDefinition {
        ProviderDefinition(
            key: Self.key,
            name: "SMTP server",
            category: .email,
            authentication: .password,
            fields: [
                .text(
                    "host",
                    "Host",
                    [.required, .destination],
                    pattern: #"[A-Za-z0-9]([A-Za-z0-9.:-]{0,251}[A-Za-z0-9])?"#,
                    hint: "a host name or address"
                ),
                .integer("port", "Port (587 for STARTTLS, 465 for TLS)", [.required, .destination], in: 1...65535),
                .choice("security", "Security", [.required, .destination], of: SMTPServer.Security.allCases.map(\.rawValue)),
                .text("username", "User name"),
                .text("password", "Password", .secret),
            ],
            capabilities: [.sendEmail],
            rule: { Self.faults($0, guardRules) }
        )
    }

    private static func faults(_ draft: ConfigDraft, _ guardRules: OutboundGuard?) -> [Problem.Fault] {
        var faults: [Problem.Fault] = []
        if let host = draft.plain["host"]?.stringValue, let port = draft.plain["port"]?.integerValue.flatMap(UInt16.init(exactly:)),
            let reason = guardRules?.refusal(host: host, port: port)
        {
            faults.append(.init(pointer: "/host", detail: "cannot be used: \(reason)"))
        }
        let hasPassword = draft.has("password")
        if draft.has("username") != hasPassword {
            faults.append(.init(pointer: hasPassword ? "/username" : "/password", detail: "user name and password go together"))
        }
        if hasPassword, draft.plain["security"]?.stringValue == SMTPServer.Security.none.rawValue {
            faults.append(.init(pointer: "/security", detail: "a password is not sent over a connection without TLS"))
        }
        return faults
    }

    var mail: (any MailSender)? { self }

    func test(_ connection: Connection) async throws -> ConnectionReport {
        guard let server = self.server(connection) else { return .failed("The configuration is incomplete.") }
        do {
            let reply = try await self.client.verify(server)
            let words = ProviderText.clean(reply.text, hiding: connection.secrets.values)
            guard reply.code < 400 else { return .failed("The server answered \(reply.code) \(words)") }
            return .passed("The server takes mail from this account.", account: ["reply": .string("\(reply.code) \(words)")])
        } catch let error as TransportError {
            return .failed(ProviderText.clean(error.description, hiding: connection.secrets.values))
        }
    }

    func server(_ connection: Connection) -> SMTPServer? {
        let integration = connection.integration
        guard let host = integration.text("host"),
            let port = integration.config["port"]?.integerValue.flatMap(UInt16.init(exactly:)),
            let security = integration.text("security").flatMap(SMTPServer.Security.init(rawValue:))
        else { return nil }
        return SMTPServer(
            host: host,
            port: port,
            security: security,
            username: integration.text("username"),
            password: connection.secrets["password"],
            clientName: self.clientName
        )
    }
}

extension SMTPProvider: MailSender {
    func lane(for connection: Connection) -> MailLane {
        let server = self.server(connection)
        // Each organization has its own: one whose messages hang must not hold up another at the same server.
        let place = "\(server?.host ?? ""):\(server?.port ?? 0):\(server?.username ?? "")"
        return MailLane(key: "smtp:\(connection.integration.organizationID):\(place)", width: self.lanes)
    }

    func send(_ message: EmailMessage, over connection: Connection, within limit: Duration) async -> SendResult {
        guard let server = self.server(connection) else {
            return SendResult(.notSent, reason: "configuration", detail: "The configuration is incomplete.", retryAfter: 300, halts: true)
        }
        do {
            let mail = try MailMessage(message)
            let reply = try await withCancellation(after: max(.milliseconds(100), limit - self.replyTimeout)) {
                try await self.client.submit(to: server, from: mail.from, recipient: mail.recipient, message: mail.bytes)
            }
            return SMTPOutcome.result(of: reply, messageID: mail.messageID, hiding: connection.secrets.values)
        } catch let fault as MailFault {
            return SendResult(.rejected, reason: "invalid_message", detail: fault.description)
        } catch let error as TransportError {
            return .transport(error, hiding: connection.secrets.values)
        } catch is CancellationError {
            // Only before the final dot does the client let go; after it, it waits for the reply.
            return SendResult(.notSent, reason: "timeout", detail: "The server was too slow to take the message.", retryAfter: 60)
        } catch {
            return SendResult(.inDoubt, reason: "unknown", detail: ProviderText.clean(String(describing: error)))
        }
    }
}
