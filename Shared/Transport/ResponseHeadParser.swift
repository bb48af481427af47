import HTTPTypes

/// Puts a response head together from the lines that libcurl hands on, one call a line.
struct ResponseHeadParser {
    enum Outcome {
        case more
        /// The final head is complete.
        case head(HTTPResponse)
        case malformed(String)
    }

    /// All lines of all heads of one transfer, interim ones included.
    static let maximumBytes = 128 << 10

    private var status = 0
    private var fields = HTTPFields()
    private var bytes = 0
    private var isComplete = false

    mutating func add(_ line: UnsafeBufferPointer<UInt8>) -> Outcome {
        // What comes after the final head are trailers: nobody here asks for them.
        if self.isComplete { return .more }
        self.bytes += line.count
        guard self.bytes <= Self.maximumBytes else { return .malformed("the response head is larger than \(Self.maximumBytes) bytes") }
        var text = line[...]
        while let last = text.last, last == 0x0a || last == 0x0d { text.removeLast() }
        if text.isEmpty { return self.end() }
        if self.status == 0 { return self.begin(text) }
        self.addField(text)
        return .more
    }

    private mutating func begin(_ line: Slice<UnsafeBufferPointer<UInt8>>) -> Outcome {
        guard let space = line.firstIndex(of: 0x20) else { return .malformed("the status line has no status") }
        let digits = line[(space + 1)...].prefix(3)
        guard digits.count == 3, digits.allSatisfy({ (0x30...0x39).contains($0) }) else {
            return .malformed("the status line has no status")
        }
        self.status = digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
        return (100...999).contains(self.status) ? .more : .malformed("the status is out of range")
    }

    private mutating func addField(_ line: Slice<UnsafeBufferPointer<UInt8>>) {
        // A line that begins with white space continues the one before (RFC 9112 5.2).
        if let first = line.first, first == 0x20 || first == 0x09, var last = self.fields.last {
            last.value += " " + String(decoding: Self.trimmed(line), as: UTF8.self)
            self.fields[self.fields.index(before: self.fields.endIndex)] = last
            return
        }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
        guard let name = HTTPField.Name(String(decoding: line[..<colon], as: UTF8.self)) else { return }
        self.fields.append(HTTPField(name: name, lenientValue: Self.trimmed(line[(colon + 1)...])))
    }

    private mutating func end() -> Outcome {
        switch self.status {
        case 0:
            return .more
        case 101:
            return .malformed("the server switches protocols, which nobody asked for")
        case ..<200:
            self.status = 0
            self.fields = HTTPFields()
            return .more
        default:
            self.isComplete = true
            return .head(HTTPResponse(status: .init(code: self.status), headerFields: self.fields))
        }
    }

    private static func trimmed(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> Slice<UnsafeBufferPointer<UInt8>> {
        var text = text.drop { $0 == 0x20 || $0 == 0x09 }
        while let last = text.last, last == 0x20 || last == 0x09 { text.removeLast() }
        return text
    }
}
