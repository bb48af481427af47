import Models
import Transport

/// What a reply of an SMTP server (RFC 5321 section 4.2) says about the message.
enum SMTPOutcome {
    static func result(of reply: SMTPReply, messageID: String, hiding secrets: some Sequence<Secret>) -> SendResult {
        let reason = "smtp_\(reply.code)"
        let detail = ProviderText.clean([reply.enhancedStatus, reply.text].compactMap { $0 }.joined(separator: " "), hiding: secrets)
        switch reply.code {
        case 200..<300: return SendResult(.accepted, providerMessageID: messageID)
        // The server closes; the rest of the batch would meet the same.
        case 421: return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 60, halts: true)
        // About the account, not about this message: authentication required, refused or too weak (RFC 4954 section 6).
        case 530, 534, 535, 538:
            return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 300, halts: true, isUnauthorized: true)
        // About the sender's address or the session, not about the recipient: every message would meet it.
        case 500..<600 where reply.stage == .session || reply.stage == .sender:
            return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 300, halts: true)
        // Passing: greylisting and full mailboxes ask for minutes (section 4.5.4.1).
        case 400..<500: return SendResult(.notSent, reason: reason, detail: detail, retryAfter: 300)
        case 500..<600: return SendResult(.rejected, reason: reason, detail: detail)
        default: return SendResult(.inDoubt, reason: reason, detail: detail)
        }
    }
}
