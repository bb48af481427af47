/// What the set-up of a connection, which libcurl conducts, tells.
struct SMTPSession {
    private(set) var capabilities = SMTPCapabilities()
    private(set) var lastReply: SMTPReply?
    private(set) var isAuthenticated = false
    private var parser = SMTPReplyParser()

    /// True when the line completes a reply.
    mutating func add(_ line: UnsafeBufferPointer<UInt8>) -> Bool {
        self.capabilities.add(line: String(decoding: line, as: UTF8.self).prefix { $0 != "\r" && $0 != "\n" && $0 != "\r\n" })
        // What is malformed here libcurl judges itself: it conducts this part.
        guard let replies = try? self.parser.add(UnsafeRawBufferPointer(line)), var reply = replies.last else { return false }
        reply.stage = .session
        // 235: authentication successful (RFC 4954). 3yz only asks for more.
        if reply.code == 235 { self.isAuthenticated = true }
        self.lastReply = reply
        return true
    }
}

/// What the server can do, from its answer to EHLO.
struct SMTPCapabilities {
    private(set) var pipelining = false
    private(set) var size = false
    private(set) var eightBit = false
    private var isInside = false

    /// A line of the session's set-up. Each answer to EHLO replaces what the one before said (it is asked again under TLS).
    mutating func add(line: Substring) {
        guard line.hasPrefix("250") else {
            self.isInside = false
            return
        }
        if !self.isInside { self = SMTPCapabilities() }
        let rest = line.dropFirst(3)
        self.isInside = rest.hasPrefix("-")
        switch rest.dropFirst().split(separator: " ").first?.uppercased() {
        case "PIPELINING": self.pipelining = true
        case "SIZE": self.size = true
        case "8BITMIME": self.eightBit = true
        default: break
        }
    }
}
