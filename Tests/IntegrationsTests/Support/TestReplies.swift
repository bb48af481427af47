import Transport

enum TestReplies {
    static func smtp(_ code: Int, _ text: String, at stage: SMTPReply.Stage = .recipient) -> SMTPReply {
        SMTPReply(code: code, enhancedStatus: nil, text: text, stage: stage)
    }
}
