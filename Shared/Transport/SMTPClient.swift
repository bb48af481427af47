package import Logging

/// SMTP over the same kind of loop as HTTP; connections are kept per server and used again. libcurl connects, secures and authenticates;
/// the transactions are written here, so that it is always known whether the message's last byte may have been taken.
package final class SMTPClient: Sendable {
    package struct Configuration: Sendable {
        package var maximumConnectionsPerServer: Int
        /// All servers together.
        package var maximumConnections = 256
        /// Longest wait for one reply, or for the server to take a piece of the message.
        package var replyTimeout: Duration
        /// Until the connection stands.
        package var connectTimeout: Duration
        /// For all of a `submit` or `verify`, the wait for a free connection included.
        package var totalTimeout: Duration = .seconds(180)
        /// Servers close a connection that carried many messages; it is given up before.
        package var maximumMessagesPerConnection = 500
        package var maximumConnectionAge: Duration = .seconds(300)
        /// Servers must wait five minutes for the next command (RFC 5321 4.5.3.2.7); few do.
        package var idleTimeout: Duration = .seconds(20)
        package var guardRules: OutboundGuard?

        package init(
            maximumConnectionsPerServer: Int = 10,
            replyTimeout: Duration = .seconds(60),
            connectTimeout: Duration = .seconds(10),
            guardRules: OutboundGuard?
        ) {
            self.maximumConnectionsPerServer = maximumConnectionsPerServer
            self.replyTimeout = replyTimeout
            self.connectTimeout = connectTimeout
            self.guardRules = guardRules
        }
    }

    private let configuration: Configuration
    private let loop: CurlLoop<SMTPDriver>
    private let counters = LoadCounters()
    private let logger: Logger

    package init(_ configuration: Configuration, logger: Logger) {
        self.configuration = configuration
        self.logger = logger
        let counters = self.counters
        self.loop = CurlLoop(name: "smtp", maximumConnections: configuration.maximumConnections) {
            SMTPDriver(configuration, load: counters)
        }
    }

    deinit {
        _ = self.loop.submit(.stop(deadline: 0))
    }

    /// How many transactions are under way and how many wait, for metrics.
    package var load: TransportLoad { self.counters.load }

    /// One message to one recipient. A 4xx or 5xx reply to MAIL, RCPT or DATA is answered as a reply, not thrown; its stage says which.
    /// - Parameter message: RFC 5322 with CRLF line ends.
    /// - Throws: ``TransportError``; `surelyNotSent` is false once the body's last byte may have been taken: the server is responsible only
    ///   after it has answered the final dot (RFC 5321 6.1), so whatever ends before that dot was written whole is surely not sent.
    ///   `authentication` when the server refuses the credentials for good. `CancellationError` when the task was cancelled before the final
    ///   dot was written; after that the reply is waited for all the same, because only it tells what became of the message.
    package func submit(to server: SMTPServer, from: String, recipient: String, message: [UInt8]) async throws -> SMTPReply {
        let envelope = try SMTPEnvelope(from: from, recipient: recipient, message: message)
        return try await self.run(SMTPJob(server: server, url: server.url(), envelope: envelope, within: self.configuration.totalTimeout))
    }

    /// Connect, EHLO, STARTTLS, AUTH, nothing sent. A refusal of the server is answered as a reply.
    /// - Throws: ``TransportError`` when the server cannot be reached, does not secure the connection or does not speak SMTP.
    package func verify(_ server: SMTPServer) async throws -> SMTPReply {
        try await self.run(SMTPJob(server: server, url: server.url(), envelope: nil, within: self.configuration.totalTimeout))
    }

    private func run(_ job: SMTPJob) async throws -> SMTPReply {
        let loop = self.loop
        return try await withTaskCancellationHandler {
            try await withUnsafeThrowingContinuation { (answer: SMTPJob.Answer) in
                if loop.submit(.run(job, answer)) { return }
                answer.resume(throwing: SMTPJob.shutDown)
            }
        } onCancel: {
            _ = loop.submit(.abort(job))
        }
    }

    /// Lets transactions under way end until the deadline, then aborts them and stops the thread; what waits is refused at once. Idempotent.
    package func shutdown(within limit: Duration) async {
        _ = self.loop.submit(.stop(deadline: MonotonicClock.now.saturatingAdd(limit.nanoseconds)))
        await withUnsafeContinuation { continuation in
            if !self.loop.submit(.whenStopped(continuation)) { continuation.resume() }
        }
        self.logger.debug("SMTP client stopped")
    }
}
