/// The commands and replies that bring one message to a server, without their transport. MAIL, RCPT and DATA go together where the server
/// allows it (RFC 2920): one round trip less for each.
struct SMTPTransaction {
    enum Move: Equatable {
        case wait
        case write(String)
        /// The envelope's data, up to the final dot.
        case writeMessage
        /// The server's word on the message.
        case done(SMTPReply, leaving: Session)
        /// The two sides are at odds.
        case broken(String)
    }

    /// What a transaction leaves the connection in.
    enum Session: Equatable {
        case clean
        /// RSET must come before the next message.
        case open
        /// Of no more use.
        case spent
    }

    /// What the next reply is about.
    private enum Step { case reset, sender, recipient, data, message }

    let envelope: SMTPEnvelope
    private var expected = FIFO<Step>()
    private var refusal: SMTPReply?
    private var isClosing = false

    init(_ envelope: SMTPEnvelope) {
        self.envelope = envelope
    }

    /// What is written first.
    mutating func open(_ capabilities: SMTPCapabilities, after session: Session) -> String {
        var commands = ""
        if session == .open {
            commands += "RSET\r\n"
            self.expected.append(.reset)
        }
        commands += self.envelope.mailCommand(capabilities)
        self.expected.append(.sender)
        guard capabilities.pipelining else { return commands }
        self.expected.append(.recipient)
        self.expected.append(.data)
        return commands + self.envelope.recipientCommand + "DATA\r\n"
    }

    /// - isMessageWritten: whether the final dot has left.
    mutating func take(_ reply: SMTPReply, isMessageWritten: Bool) -> Move {
        // 421: the server closes the connection, whatever was asked (RFC 5321 3.8).
        if reply.code == 421 { self.isClosing = true }
        guard let step = self.expected.popFirst() else { return .broken("the server spoke unasked: \(reply.code) \(reply.text)") }
        switch step {
        case .reset: return reply.isAccepted ? .wait : .broken("RSET was refused: \(reply.code) \(reply.text)")
        case .sender: return self.afterEnvelope(reply, .sender)
        case .recipient: return self.afterEnvelope(reply, .recipient)
        case .data: return self.afterData(reply)
        case .message: return self.afterMessage(reply, isMessageWritten: isMessageWritten)
        }
    }

    /// To the next command, or, where all were sent at once, to the next reply.
    private mutating func afterEnvelope(_ reply: SMTPReply, _ stage: SMTPReply.Stage) -> Move {
        if !reply.isAccepted { self.refuse(reply, stage) }
        if let refusal = self.refusal {
            return self.expected.isEmpty || self.isClosing ? .done(refusal, leaving: self.isClosing ? .spent : .open) : .wait
        }
        guard self.expected.isEmpty else { return .wait }
        self.expected.append(stage == .sender ? .recipient : .data)
        return .write(stage == .sender ? self.envelope.recipientCommand : "DATA\r\n")
    }

    private mutating func afterData(_ reply: SMTPReply) -> Move {
        guard reply.code == 354 else {
            guard reply.code >= 400 else { return .broken("DATA was answered by \(reply.code)") }
            self.refuse(reply, .data)
            return .done(self.refusal ?? reply, leaving: self.isClosing ? .spent : .open)
        }
        // The server wants a message whose sender or recipient it has refused: only closing is sure to deliver nothing.
        if let refusal = self.refusal { return .done(refusal, leaving: .spent) }
        self.expected.append(.message)
        return .writeMessage
    }

    private func afterMessage(_ reply: SMTPReply, isMessageWritten: Bool) -> Move {
        var reply = reply
        reply.stage = .message
        if isMessageWritten { return .done(reply, leaving: self.isClosing ? .spent : .clean) }
        // An answer before the message was written whole can only be a refusal, and nothing sensible can follow it.
        return reply.code >= 400 ? .done(reply, leaving: .spent) : .broken("the server answered too early: \(reply.code) \(reply.text)")
    }

    /// The first refusal is the reason; what was pipelined behind it fails in its wake.
    private mutating func refuse(_ reply: SMTPReply, _ stage: SMTPReply.Stage) {
        guard self.refusal == nil else { return }
        var reply = reply
        reply.stage = stage
        self.refusal = reply
    }
}
