/// Puts replies together from bytes or lines (RFC 5321 4.2).
struct SMTPReplyParser {
    struct Malformed: Error {
        let detail: String
    }

    /// RFC 5321 4.5.3.1.5 allows 512; real servers are chattier.
    private static let maximumLineBytes = 4096
    private static let maximumLines = 128
    private static let maximumTextCharacters = 1000

    private var line: [UInt8] = []
    private var lines: [String] = []
    private var code = 0

    /// The replies that these bytes complete.
    mutating func add(_ bytes: UnsafeRawBufferPointer) throws(Malformed) -> [SMTPReply] {
        var replies: [SMTPReply] = []
        for byte in bytes {
            guard byte != 0x0a else {
                if let reply = try self.endLine() { replies.append(reply) }
                continue
            }
            guard self.line.count < Self.maximumLineBytes else { throw Malformed(detail: "a reply line is too long") }
            self.line.append(byte)
        }
        return replies
    }

    private mutating func endLine() throws(Malformed) -> SMTPReply? {
        if self.line.last == 0x0d { self.line.removeLast() }
        defer { self.line.removeAll(keepingCapacity: true) }
        let digits = self.line.prefix(3)
        guard digits.count == 3, digits.allSatisfy({ (0x30...0x39).contains($0) }) else { throw Malformed(detail: "a reply has no code") }
        let code = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        guard (200...599).contains(code), self.lines.isEmpty || code == self.code else {
            throw Malformed(detail: "a reply's code is wrong")
        }
        self.code = code
        self.lines.append(String(decoding: self.line.dropFirst(4), as: UTF8.self))
        guard self.lines.count <= Self.maximumLines else { throw Malformed(detail: "a reply has too many lines") }
        if self.line.count > 3, self.line[3] == UInt8(ascii: "-") { return nil }
        defer { self.lines = [] }
        return Self.reply(code, self.lines)
    }

    private static func reply(_ code: Int, _ lines: [String]) -> SMTPReply {
        var enhanced: String?
        let texts = lines.map { line -> Substring in
            guard let status = Self.enhancedStatus(line, code: code) else { return line[...] }
            enhanced = enhanced ?? status
            return line.dropFirst(status.count).drop { $0 == " " }
        }
        let text = String.UnicodeScalarView(texts.joined(separator: " ").unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7f })
        return SMTPReply(code: code, enhancedStatus: enhanced, text: String(String(text).prefix(Self.maximumTextCharacters)))
    }

    /// `class.subject.detail` at the beginning of a line, of the same class as the code (RFC 2034).
    private static func enhancedStatus(_ line: String, code: Int) -> String? {
        guard let word = line.split(separator: " ", maxSplits: 1).first, line.hasPrefix(word) else { return nil }
        let parts = word.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0] == "\(code / 100)" else { return nil }
        guard parts.allSatisfy({ (1...3).contains($0.count) && $0.allSatisfy { $0.isASCII && $0.isNumber } }) else { return nil }
        return String(word)
    }
}
