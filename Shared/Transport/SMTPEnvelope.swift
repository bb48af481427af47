import Glibc
import Models

/// A message ready to be written: its addresses cannot smuggle commands, its body cannot end early.
struct SMTPEnvelope: Sendable {
    let from: String
    let recipient: String
    /// Dot-stuffed and ended by the final dot.
    let data: [UInt8]
    /// Of the message as it was given, for the SIZE parameter.
    let size: Int
    let isEightBit: Bool

    /// - Throws: ``TransportError`` (`invalidRequest`).
    init(from: String, recipient: String, message: [UInt8]) throws(TransportError) {
        guard from.isEmpty || Self.isAddress(from) else { throw .invalidRequest("the sender is not an ASCII mail address") }
        guard Self.isAddress(recipient) else { throw .invalidRequest("the recipient is not an ASCII mail address") }
        self.from = from
        self.recipient = recipient
        self.size = message.count
        self.data = try Self.stuffed(message)
        self.isEightBit = message.withUnsafeBytes { $0.holdsEightBitBytes }
    }

    func mailCommand(_ capabilities: SMTPCapabilities) -> String {
        let size = capabilities.size ? " SIZE=\(self.size)" : ""
        let body = capabilities.eightBit && self.isEightBit ? " BODY=8BITMIME" : ""
        return "MAIL FROM:<\(self.from)>\(size)\(body)\r\n"
    }

    var recipientCommand: String { "RCPT TO:<\(self.recipient)>\r\n" }

    /// RFC 5321 4.5.3.1: local part 64, domain 255 octets; unquoted local part, so that nothing needs quoting inside the brackets.
    private static func isAddress(_ text: String) -> Bool {
        guard let at = text.utf8.lastIndex(of: UInt8(ascii: "@")) else { return false }
        let local = text.utf8[..<at]
        let domain = text.utf8[text.utf8.index(after: at)...]
        return (1...64).contains(local.count) && (1...255).contains(domain.count)
            && local.allSatisfy { self.isAtomOrDot($0) }
            && domain.allSatisfy { $0.isLetterOrDigit || [0x2d, 0x2e, 0x5f, 0x5b, 0x5d, 0x3a].contains($0) }
    }

    /// RFC 5322 atext, and the dot.
    private static func isAtomOrDot(_ byte: UInt8) -> Bool {
        byte.isLetterOrDigit || "!#$%&'*+-/=?^_`{|}~.".utf8.contains(byte)
    }

    /// Line by line with memchr: a message is read once, at the speed of memory.
    private static func stuffed(_ message: [UInt8]) throws(TransportError) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(message.count + message.count / 64 + 5)
        let isWell = message.withUnsafeBytes { bytes in
            guard bytes.firstOffset(of: 0, from: 0) == nil else { return false }
            var start = 0
            while start < bytes.count {
                let lineFeed = bytes.firstOffset(of: 0x0a, from: start)
                // The first carriage return of a line stands right before its line feed, or there is neither.
                guard bytes.firstOffset(of: 0x0d, from: start, to: lineFeed ?? bytes.count) == lineFeed.map({ $0 - 1 }) else {
                    return false
                }
                let end = lineFeed.map { $0 + 1 } ?? bytes.count
                if bytes[start] == UInt8(ascii: ".") { result.append(bytes[start]) }
                result.append(contentsOf: bytes[start..<end])
                start = end
            }
            return true
        }
        guard isWell else { throw .invalidRequest("the message holds a NUL, or a carriage return or line feed that stands alone") }
        if message.last != 0x0a { result += [0x0d, 0x0a] }
        return result + [UInt8(ascii: "."), 0x0d, 0x0a]
    }
}

extension UnsafeRawBufferPointer {
    fileprivate func firstOffset(of byte: UInt8, from start: Int, to end: Int? = nil) -> Int? {
        guard let base = self.baseAddress, let found = memchr(base + start, Int32(byte), (end ?? self.count) - start) else { return nil }
        return UnsafeRawPointer(found) - base
    }

    fileprivate var holdsEightBitBytes: Bool {
        var all: UInt64 = 0
        var offset = 0
        while offset + 8 <= self.count {
            all |= self.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        return all & 0x8080_8080_8080_8080 != 0 || self[offset...].contains { $0 >= 0x80 }
    }
}

extension SMTPServer {
    /// - Throws: ``TransportError`` (`invalidRequest`) for what could not be put into a URL or command unchanged.
    func url() throws(TransportError) -> String {
        guard self.port > 0, let host = URLParts.Host(self.host) else {
            throw .invalidRequest("the mail server's host or port is not valid")
        }
        guard !self.clientName.isEmpty, self.clientName.utf8.allSatisfy({ $0.isLetterOrDigit || $0 == 0x2d || $0 == 0x2e }) else {
            throw .invalidRequest("the EHLO name is not a host name")
        }
        for text in [self.username, self.password?.reveal()].compactMap({ $0 }) where text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f })
        {
            throw .invalidRequest("the mail server's credentials hold a control character")
        }
        var name = self.host
        if case .address(.v6) = host, !name.hasPrefix("[") { name = "[\(name)]" }
        return "\(self.security == .tls ? "smtps" : "smtp")://\(name):\(self.port)/\(self.clientName)"
    }
}
