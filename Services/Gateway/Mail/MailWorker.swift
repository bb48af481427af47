import Foundation
import Logging
import Models
import ServiceKit
import ServiceLifecycle
import Transport

/// Brings queued mail to the mail server, or to the log where development has none.
struct MailWorker: Service {
    private static let concurrency = 4
    private static let poll = Duration.seconds(10)
    private static let backoff = Backoff(base: .seconds(5), limit: .seconds(600))

    private let queue: MailQueue
    private let client: SMTPClient
    private let logger: Logger

    init(queue: MailQueue, logger: Logger) {
        self.queue = queue
        self.logger = logger
        // The operator names this server: no guard. All of a try stays within the lease.
        var settings = SMTPClient.Configuration(maximumConnectionsPerServer: Self.concurrency, replyTimeout: .seconds(30), guardRules: nil)
        settings.totalTimeout = .seconds(MailQueue.lease / 2)
        self.client = SMTPClient(settings, logger: logger)
    }

    func run() async throws {
        if case .nowhere = self.queue.way {
            self.logger.warning("No mail server is set (MAIL_SMTP_HOST): invitations, verifications and password resets cannot be mailed")
        }
        let loop = WorkLoop(
            "mail",
            wake: self.queue.wake,
            poll: Self.poll,
            concurrency: Self.concurrency,
            logger: self.logger,
            claim: { try await self.queue.claim($0) },
            work: { try await self.bring($0) },
            handBack: { try await self.queue.handBack($0) }
        )
        do {
            try await loop.run()
        } catch {
            await self.client.shutdown(within: .zero)
            throw error
        }
        await self.client.shutdown(within: .seconds(1))
    }

    private func bring(_ mail: ClaimedMail) async throws {
        guard mail.remaining > 0 else { return try await self.settle(mail, .failed("expired")) }
        let text = try self.queue.text(of: mail)
        switch self.queue.way {
        case .server(let server): try await self.settle(mail, try await self.send(mail, text, over: server))
        case .log:
            let metadata: Logger.Metadata = [
                "kind": "\(mail.kind)", "to": "\(mail.recipient)", "subject": "\(mail.subject)", "text": "\(text)",
            ]
            self.logger.notice("No mail server is set (MAIL_SMTP_HOST): this mail is only logged", metadata: metadata)
            try await self.settle(mail, .sent)
        // Queued by a process that had a server.
        case .nowhere: try await self.settle(mail, .failed("not_configured"))
        }
    }

    private func send(_ mail: ClaimedMail, _ text: String, over server: MailServer) async throws -> MailOutcome {
        let message = MailMessage(
            from: server.from,
            to: mail.recipient,
            subject: mail.subject,
            text: text,
            id: mail.id,
            date: Date()
        )
        do {
            return MailOutcome(
                try await self.client.submit(to: server.server, from: server.from, recipient: mail.recipient, message: message.bytes)
            )
        } catch let error as TransportError {
            self.logger.warning("The mail server could not be used", metadata: ["mail": "\(mail.id)", "error": "\(error)"])
            return MailOutcome(error)
        }
    }

    private func settle(_ mail: ClaimedMail, _ outcome: MailOutcome) async throws {
        switch outcome {
        case .sent: try await self.queue.settle(mail, failed: nil)
        case .failed(let reason):
            self.logger.warning("A mail failed", metadata: ["mail": "\(mail.id)", "kind": "\(mail.kind)", "reason": "\(reason)"])
            try await self.queue.settle(mail, failed: reason)
        case .postponed(let reason):
            self.logger.warning("A mail is tried again later", metadata: ["mail": "\(mail.id)", "reason": "\(reason)"])
            try await self.queue.postpone(mail, by: Self.backoff.delay(afterFailures: mail.attempts), reason: reason)
        }
    }
}
