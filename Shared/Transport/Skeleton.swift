package import HTTPTypes
package import Logging
package import Models

// SKELETON: the agreed surface. The module's author replaces this file with real ones; signatures here hold.

/// A libcurl multi loop on a thread of its own. Inside: one for the house's own services. Outside: one for strangers.
package final class HTTPClient: Sendable {
    package struct Configuration: Sendable {
        /// Shown as the thread's name, at most 15 bytes.
        package var name: String
        /// Transfers under way at once, all hosts together; more wait in order.
        package var maximumInFlight: Int
        /// Transfers under way at once to one host and port; nil for no such limit. Hosts take turns.
        package var maximumPerHost: Int?
        /// Vet every address before connecting; nil for operator-given URLs.
        package var guardRules: OutboundGuard?
        package var userAgent: String

        /// For the house's own services: capped in flight, no guard.
        package static func inside() -> Configuration { fatalError() }
        /// For strangers: per-host turns; the guard vets what tenants give, `nil` for provider base URLs given by the operator.
        package static func outside(guard: OutboundGuard?) -> Configuration { fatalError() }
    }

    package init(_ configuration: Configuration, logger: Logger) { fatalError() }

    /// Sends and answers as soon as the final response head is there; the body streams with back-pressure.
    /// Cancelling the task aborts the transfer. Redirects are answered, not followed.
    /// - Throws: ``TransportError``, `CancellationError`.
    package func send(_ request: HTTPClientRequest) async throws -> HTTPClientResponse { fatalError() }

    /// Lets transfers in flight end until the deadline, then aborts them and stops the thread. Idempotent.
    package func shutdown(within: Duration) async { fatalError() }
}

package struct HTTPClientRequest: Sendable {
    package enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// `length` nil sends chunked.
        case stream(length: Int64?, @Sendable () async throws -> [UInt8]?)
    }

    /// Method, scheme, authority, path and headers.
    package var head: HTTPRequest
    package var body: Body
    package var timeouts: Timeouts
    /// More than this of a body is ``TransportError/Kind/tooLarge``.
    package var maximumResponseBytes: Int

    /// - url: absolute http or https URL.
    package init(
        _ method: HTTPRequest.Method,
        _ url: String,
        headers: HTTPFields = [:],
        body: Body = .none,
        timeouts: Timeouts = Timeouts(),
        maximumResponseBytes: Int = 16 << 20
    ) throws { fatalError() }
}

package struct Timeouts: Sendable, Equatable {
    package var connect: Duration = .seconds(5)
    /// From the start of the transfer to its last byte; nil for streams that an idle limit bounds.
    package var total: Duration? = .seconds(30)
    /// Longest silence.
    package var idle: Duration = .seconds(30)
    package init() {}
}

package struct HTTPClientResponse: Sendable {
    package var head: HTTPResponse
    package var body: ResponseBodyStream
    /// Address and port of the peer.
    package var peer: String?

    package func collect(upTo limit: Int) async throws -> [UInt8] { fatalError() }
}

/// The body as it arrives. One consumer; letting go of it aborts the transfer.
package struct ResponseBodyStream: AsyncSequence, Sendable {
    package typealias Element = [UInt8]
    package struct AsyncIterator: AsyncIteratorProtocol {
        package mutating func next() async throws -> [UInt8]? { fatalError() }
    }
    package func makeAsyncIterator() -> AsyncIterator { fatalError() }
}

package struct TransportError: Error, Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        case invalidRequest, resolve, connect, tls, refusedAddress, timedOut, connectionLost, tooLarge, shuttingDown, protocolError
    }
    package var kind: Kind
    /// True while no byte of the request can have reached the peer: it may be sent again without risk.
    package var surelyNotSent: Bool
    package var detail: String
    package var description: String { fatalError() }
}

/// Which addresses a URL or host given by a tenant may reach.
package struct OutboundGuard: Sendable {
    /// `OUTBOUND_ALLOW`: comma-separated `CIDR` or `CIDR:port`, `127.0.0.0/8:8090,[::1]/128`. Empty allows public addresses only.
    package init(allow: String) throws { fatalError() }
    /// nil when the address may be reached, else why not.
    package func refusal(address: String, port: UInt16) -> String? { fatalError() }
    /// Checks the URL's form (https unless its host is allowed by a rule, no user info, a sane port) before it is stored.
    package func refusal(url: String) -> String? { fatalError() }
}

/// A server that takes mail by SMTP submission.
package struct SMTPServer: Sendable, Hashable {
    package enum Security: String, Sendable, Codable, CaseIterable { case startTLS = "starttls", tls, none }
    package var host: String
    package var port: UInt16
    package var security: Security
    package var username: String?
    package var password: Secret?
    /// EHLO name.
    package var clientName: String
    package init(host: String, port: UInt16, security: Security, username: String?, password: Secret?, clientName: String) { fatalError() }
}

package struct SMTPReply: Sendable, Equatable {
    package var code: Int
    /// `2.0.0` where the server says so.
    package var enhancedStatus: String?
    package var text: String
}

/// SMTP over the same kind of loop; connections are kept per server and used again.
package final class SMTPClient: Sendable {
    package struct Configuration: Sendable {
        package var maximumConnectionsPerServer: Int
        package var replyTimeout: Duration
        package var connectTimeout: Duration
        package var guardRules: OutboundGuard?
        package init(
            maximumConnectionsPerServer: Int = 10,
            replyTimeout: Duration = .seconds(60),
            connectTimeout: Duration = .seconds(10),
            guardRules: OutboundGuard?
        ) { fatalError() }
    }

    package init(_ configuration: Configuration, logger: Logger) { fatalError() }

    /// One message to one recipient. A 4xx or 5xx reply to MAIL, RCPT or DATA is answered as a reply, not thrown.
    /// - message: RFC 5322 with CRLF line ends.
    /// - Throws: ``TransportError``; `surelyNotSent` is false once the body's last byte may have been taken.
    package func submit(to server: SMTPServer, from: String, recipient: String, message: [UInt8]) async throws -> SMTPReply { fatalError() }

    /// Connect, EHLO, STARTTLS, AUTH, nothing sent.
    package func verify(_ server: SMTPServer) async throws -> SMTPReply { fatalError() }

    package func shutdown(within: Duration) async { fatalError() }
}
