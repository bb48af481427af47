import Models
import Transport

/// Brings one message to a provider.
protocol MailSender: Sendable {
    /// Where the message queues: calls of one lane share its width across all requests.
    func lane(for connection: Connection) -> MailLane
    /// One call. It ends within the limit, and says for certain only what it knows.
    func send(_ message: EmailMessage, over connection: Connection, within limit: Duration) async -> SendResult
}

struct MailLane: Sendable, Hashable {
    let key: String
    /// Calls on their way at once.
    let width: Int
}

/// How one call ended.
struct SendResult: Sendable, Equatable {
    enum Outcome: String, Sendable { case accepted, rejected, notSent = "not_sent", inDoubt = "in_doubt" }

    var outcome: Outcome
    var providerMessageID: String?
    /// Short machine word.
    var reason: String?
    /// The provider's own words, cleaned.
    var detail: String?
    /// Seconds, for what was not sent.
    var retryAfter: Double?
    /// The next message would meet the same: what has not begun is not tried.
    var halts: Bool
    /// The provider refuses the credentials.
    var isUnauthorized: Bool

    init(
        _ outcome: Outcome,
        providerMessageID: String? = nil,
        reason: String? = nil,
        detail: String? = nil,
        retryAfter: Double? = nil,
        halts: Bool = false,
        isUnauthorized: Bool = false
    ) {
        self.outcome = outcome
        self.providerMessageID = providerMessageID
        self.reason = reason
        self.detail = detail
        self.retryAfter = retryAfter
        self.halts = halts
        self.isUnauthorized = isUnauthorized
    }

    /// What broke on the way: not sent only where no byte of the message can have arrived, in doubt otherwise.
    static func transport(_ error: TransportError, hiding secrets: some Sequence<Secret>) -> SendResult {
        let reason = error.kind.word
        let detail = ProviderText.clean(error.detail, hiding: secrets)
        guard error.surelyNotSent else { return SendResult(.inDoubt, reason: reason, detail: detail) }
        switch error.kind {
        // The connection, not the server, failed: the next message may go through.
        case .connectionLost: return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 5)
        case .busy: return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 5, halts: true)
        case .shuttingDown: return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 1, halts: true)
        case .tooLarge, .invalidRequest: return SendResult(.rejected, reason: reason, detail: detail)
        case .refusedAddress: return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 600, halts: true)
        case .authentication:
            return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 300, halts: true, isUnauthorized: true)
        case .resolve, .connect, .tls, .timedOut, .protocolError:
            return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 30, halts: true)
        }
    }

    func line(for sendKey: String) -> SendOutcome {
        let outcome: SendOutcome.Class =
            switch self.outcome {
            case .accepted: .accepted
            case .rejected: .rejected
            case .notSent: .notSent
            case .inDoubt: .inDoubt
            }
        return SendOutcome(
            sendKey: sendKey,
            outcome: outcome,
            providerMessageID: self.providerMessageID,
            reason: self.reason,
            detail: self.detail,
            retryAfter: self.outcome == .notSent ? self.retryAfter ?? 30 : nil
        )
    }
}

extension TransportError.Kind {
    /// The machine word of ``SendOutcome/reason``.
    var word: String {
        switch self {
        case .invalidRequest: "invalid_request"
        case .resolve: "resolve"
        case .connect: "connect"
        case .tls: "tls"
        case .refusedAddress: "refused_address"
        case .timedOut: "timeout"
        case .busy: "busy"
        case .connectionLost: "connection_lost"
        case .tooLarge: "too_large"
        case .shuttingDown: "shutting_down"
        case .protocolError: "protocol_error"
        case .authentication: "authentication"
        }
    }
}
