/// Where a template is wrong; line and column count from 1.
struct TemplateFault: Error, Equatable {
    var line: Int
    var column: Int
    var reason: String

    var description: String { "line \(self.line), column \(self.column): \(self.reason)" }
}

/// All faults of a template, the first ones where there are many.
struct TemplateFaults: Error, Equatable {
    var faults: [TemplateFault]
}

extension Template {
    /// Faults reported at once, and the bytes between `{{` and `}}`, at most.
    private static let faultLimit = 10
    private static let tagLimit = 200

    init(parsing text: String, style: Style) throws(TemplateFaults) {
        var parser = TemplateParser(bytes: Array(text.utf8), style: style)
        parser.parse(faultLimit: Self.faultLimit, tagLimit: Self.tagLimit)
        guard parser.faults.isEmpty else { throw TemplateFaults(faults: parser.faults) }
        self.init(style: style, segments: parser.segments)
    }
}

private struct TemplateParser {
    let bytes: [UInt8]
    let style: Template.Style
    var segments: [Template.Segment] = []
    var faults: [TemplateFault] = []
    private var position = 0

    init(bytes: [UInt8], style: Template.Style) {
        self.bytes = bytes
        self.style = style
    }

    mutating func parse(faultLimit: Int, tagLimit: Int) {
        while self.position < self.bytes.count, self.faults.count < faultLimit {
            let open = self.find(UInt8(ascii: "{"), from: self.position, before: self.bytes.count) ?? self.bytes.count
            self.literal(upTo: open)
            guard open < self.bytes.count else { return }
            let content = open + 2
            let limit = min(self.bytes.count, content + tagLimit + 2)
            guard let close = self.find(UInt8(ascii: "}"), from: content, before: limit) else {
                self.fault(at: open, "“{{” is not followed by “}}” within \(tagLimit) characters")
                self.position = content
                continue
            }
            self.tag(self.bytes[content..<close], at: open)
            self.position = close + 2
        }
    }

    /// The first place before `end` where `byte` stands twice.
    private func find(_ byte: UInt8, from start: Int, before end: Int) -> Int? {
        var index = start
        while index + 1 < end {
            if self.bytes[index] == byte, self.bytes[index + 1] == byte { return index }
            index += 1
        }
        return nil
    }

    private mutating func literal(upTo end: Int) {
        guard end > self.position else { return }
        let literal = Array(self.bytes[self.position..<end])
        if self.style == .line, let index = literal.firstIndex(where: { $0 < 0x20 || $0 == 0x7F }) {
            self.fault(at: self.position + index, "a control character is not allowed here")
        }
        self.segments.append(.literal(literal))
        self.position = end
    }

    private mutating func tag(_ content: ArraySlice<UInt8>, at start: Int) {
        let parts = content.split(separator: UInt8(ascii: "|"), maxSplits: 1, omittingEmptySubsequences: false)
        let name = Self.trimmed(parts[0])
        guard let variable = TemplateVariable(rawValue: name) else { return self.unknown(name, at: start) }
        let fallback = parts.count > 1 ? Self.trimmed(parts[1]) : ""
        var escaped: [UInt8] = []
        Template.append(fallback, style: self.style, to: &escaped)
        self.segments.append(.value(variable, fallback: escaped))
    }

    private mutating func unknown(_ name: String, at start: Int) {
        if let nearest = TemplateVariable.nearest(to: name) {
            self.fault(at: start, "there is no variable “\(name)”; did you mean “\(nearest.rawValue)”?")
        } else {
            let known = TemplateVariable.allCases.map(\.rawValue).joined(separator: ", ")
            self.fault(at: start, "there is no variable “\(name)”; known are \(known)")
        }
    }

    private mutating func fault(at offset: Int, _ reason: String) {
        let before = self.bytes[..<offset]
        let lineStart = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
        let line = before.count { $0 == UInt8(ascii: "\n") } + 1
        let column = String(decoding: self.bytes[lineStart..<offset], as: UTF8.self).count + 1
        self.faults.append(TemplateFault(line: line, column: column, reason: reason))
    }

    private static func trimmed(_ bytes: ArraySlice<UInt8>) -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        let start = bytes.firstIndex { !isSpace($0) } ?? bytes.endIndex
        let end = bytes.lastIndex { !isSpace($0) }.map { $0 + 1 } ?? bytes.endIndex
        return start < end ? String(decoding: bytes[start..<end], as: UTF8.self) : ""
    }
}
