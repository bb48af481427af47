import Foundation
import Models
import ServiceKit
import Transport

/// The mail server of the gateway, from the environment.
struct MailSettings: Sendable {
    /// `MAIL_SMTP_HOST`: the server that takes the gateway's mail; without one nothing is mailed, and development logs it.
    var host: String?
    /// `MAIL_SMTP_PORT` (587).
    var port: Int
    /// `MAIL_SMTP_SECURITY`: starttls (default), tls or none.
    var security: SMTPServer.Security
    /// `MAIL_SMTP_USERNAME` and `MAIL_SMTP_PASSWORD`: both or none.
    var username: String?
    var password: Secret?
    /// `MAIL_FROM`: the sender's address; needed with a server.
    var from: String?

    init(_ reader: SettingsReader) {
        self.host = reader.optionalString("MAIL_SMTP_HOST")
        self.port = reader.integer("MAIL_SMTP_PORT", default: 587, in: 1...65_535)
        self.security = reader.choice("MAIL_SMTP_SECURITY", default: SMTPServer.Security.startTLS)
        self.username = reader.optionalString("MAIL_SMTP_USERNAME")
        self.password = reader.optionalSecret("MAIL_SMTP_PASSWORD")
        self.from = reader.optionalString("MAIL_FROM")
        self.check(reader)
    }

    private func check(_ reader: SettingsReader) {
        if (self.username == nil) != (self.password == nil) {
            reader.fault("MAIL_SMTP_USERNAME", "and MAIL_SMTP_PASSWORD must be given together")
        }
        if let from = self.from, EmailAddress.normalized(from) != from || !from.utf8.allSatisfy({ $0 < 0x80 }) {
            reader.fault("MAIL_FROM", "must be a plain mail address, its domain in lower case")
        }
        if self.password != nil, self.security == .none {
            reader.fault("MAIL_SMTP_SECURITY", "must not be none with a password: it would be sent in the clear")
        }
        guard self.host != nil else { return }
        if self.from == nil { reader.fault("MAIL_FROM", "is needed with MAIL_SMTP_HOST") }
    }

    func way(in environment: HouseEnvironment, publicURL: String) -> MailWay {
        guard let host = self.host, let from = self.from else { return environment == .development ? .log : .nowhere }
        let server = SMTPServer(
            host: host,
            port: UInt16(self.port),
            security: self.security,
            username: self.username,
            password: self.password,
            clientName: URL(string: publicURL)?.host() ?? "localhost"
        )
        return .server(MailServer(server: server, from: from))
    }
}
