import Models
import Transport

/// What a try means for the mail.
enum MailOutcome: Sendable, Equatable {
    case sent
    /// The same would happen again.
    case failed(String)
    /// Tried again later: the server, the way to it or its settings may be better by then.
    case postponed(String)

    init(_ reply: SMTPReply) {
        let reason = "\(reply.code) \(reply.text.prefix(200)) (at \(reply.stage.rawValue))"
        if reply.isAccepted {
            self = .sent
        } else if reply.isTransient || reply.stage == .session || reply.stage == .sender {
            // Greeting, sign-in and return path are the operator's matter and no fault of this mail.
            self = .postponed(reason)
        } else {
            self = .failed(reason)
        }
    }

    /// Also where the server may have taken it: at least once (see ``MailQueue``).
    init(_ error: TransportError) {
        switch error.kind {
        case .invalidRequest, .tooLarge: self = .failed(error.kind.rawValue)
        default: self = .postponed(error.kind.rawValue)
        }
    }
}

/// The gateway's own mail server, as the operator set it.
struct MailServer: Sendable, Equatable {
    var server: SMTPServer
    /// Return path and sender.
    var from: String
}
