import Database
import Models

/// A mail to a person, before it is queued. Plain text: it carries a link and a sentence, and reads the same everywhere.
struct Mail: Sendable {
    /// A machine word for what it tells, `invitation`.
    var kind: String
    /// One ASCII address.
    var recipient: String
    /// One line.
    var subject: String
    /// Lines end with `\n`.
    var text: String
    /// Seconds after which it is of no use to its reader: tries end then.
    var lifetime: Int
    /// Where it is told to a member as one: it goes with the membership. nil for mail to a person.
    var membership: Membership?

    struct Membership: Sendable {
        var organization: OrganizationID
        var user: UserID
    }
}

/// What becomes of a mail, for the answer to whoever caused it.
enum MailFate: String, Encodable, Sendable {
    case queued
    /// No mail server is set, and this is development: its text is in the gateway's log.
    case logged
    /// No mail server is set: it cannot be sent.
    case notConfigured = "not_configured"
}

/// Where mail goes, by the gateway's settings.
enum MailWay: Sendable {
    case server(MailServer)
    case log
    case nowhere

    var fate: MailFate {
        switch self {
        case .server: .queued
        case .log: .logged
        case .nowhere: .notConfigured
        }
    }
}

/// A mail as a worker holds it.
struct ClaimedMail: Sendable {
    var id: String
    var kind: String
    var recipient: String
    var subject: String
    var sealedText: [UInt8]
    var attempts: Int
    var fence: Int64
    /// Seconds until it is of no use.
    var remaining: Double
}

extension ClaimedMail: RowDecodable {
    init(row: Row) throws {
        self.id = try row.get("id")
        self.kind = try row.get("kind")
        self.recipient = try row.get("recipient")
        self.subject = try row.get("subject")
        self.sealedText = try row.get("body")
        self.attempts = try row.get("attempts")
        self.fence = try row.get("fence")
        self.remaining = try row.get("remaining")
    }
}
