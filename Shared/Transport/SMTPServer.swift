package import Models

/// A server that takes mail by SMTP submission.
package struct SMTPServer: Sendable, Hashable {
    package enum Security: String, Sendable, Codable, CaseIterable {
        /// STARTTLS, and nothing at all is sent where the server does not offer it.
        case startTLS = "starttls"
        /// TLS from the first byte (port 465).
        case tls
        case none
    }

    package var host: String
    package var port: UInt16
    package var security: Security
    package var username: String?
    package var password: Secret?
    /// EHLO name.
    package var clientName: String

    package init(host: String, port: UInt16, security: Security, username: String?, password: Secret?, clientName: String) {
        self.host = host
        self.port = port
        self.security = security
        self.username = username
        self.password = password
        self.clientName = clientName
    }
}

package struct SMTPReply: Sendable, Equatable {
    /// Which command was answered.
    package enum Stage: String, Sendable {
        /// Greeting, EHLO, STARTTLS or AUTH.
        case session
        /// MAIL: the return path or the session was judged.
        case sender
        /// RCPT: the recipient was judged.
        case recipient
        /// DATA, before any of the message was sent.
        case data
        /// The message itself.
        case message
    }

    package var code: Int
    /// `2.0.0` where the server says so (RFC 3463).
    package var enhancedStatus: String?
    /// What follows the codes, lines joined by a space, at most 1000 characters, control characters removed.
    package var text: String
    package var stage: Stage

    package init(code: Int, enhancedStatus: String?, text: String, stage: Stage = .message) {
        self.code = code
        self.enhancedStatus = enhancedStatus
        self.text = text
        self.stage = stage
    }

    /// The server has taken the message over (RFC 5321 4.2.1).
    package var isAccepted: Bool { (200...299).contains(self.code) }
    /// 4yz: the same may succeed later.
    package var isTransient: Bool { (400...499).contains(self.code) }
}
