import Foundation

/// A text mail as RFC 5322 wants it on the wire: CRLF line ends, ASCII, short lines. No value can begin another header: what is not plain
/// ASCII becomes encoded words (RFC 2047), line ends among it.
struct MailMessage: Sendable {
    /// What readers see beside the sender's address.
    static let senderName = "Switchboard"
    /// Bytes of text in one encoded word: 39 bytes are 52 characters of base64, so that word and header name stay within the 76 of RFC 2047.
    private static let wordBytes = 39

    let bytes: [UInt8]

    /// - id: the left part of the Message-ID; letters, digits and underscores.
    init(from sender: String, to recipient: String, subject: String, text: String, id: String, date: Date) {
        let domain = sender.split(separator: "@").last.map(String.init) ?? "localhost"
        let lines = [
            "From: \(Self.senderName) <\(sender)>",
            "To: <\(recipient)>",
            "Subject: \(Self.subject(subject))",
            "Date: \(Self.date(date))",
            "Message-ID: <\(id)@\(domain)>",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: base64",
            "",
            Self.body(text),
        ]
        self.bytes = Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
    }

    private static func subject(_ text: String) -> String {
        let isPlain = text.utf8.count <= 60 && text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } && !text.contains("=?")
        if isPlain { return text }
        var words: [[UInt8]] = [[]]
        for scalar in text.unicodeScalars {
            let next = Array(String(scalar).utf8)
            if words[words.count - 1].count + next.count > self.wordBytes { words.append([]) }
            words[words.count - 1] += next
        }
        return words.map { "=?UTF-8?B?\(Data($0).base64EncodedString())?=" }.joined(separator: "\r\n ")
    }

    private static func body(_ text: String) -> String {
        let bytes = Array(text.replacing("\n", with: "\r\n").utf8)
        // 57 bytes are 76 characters, the longest line of RFC 2045 section 6.8.
        return stride(from: 0, to: bytes.count, by: 57)
            .map { Data(bytes[$0..<min($0 + 57, bytes.count)]).base64EncodedString() }
            .joined(separator: "\r\n")
    }

    /// RFC 5322 section 3.3, in UTC.
    private static func date(_ date: Date) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = .gmt
        formatter.dateFormat = "EEE, d MMM yyyy HH:mm:ss '+0000'"
        return formatter.string(from: date)
    }
}
