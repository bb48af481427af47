/// A text with variables, compiled once per batch into literal runs and slots.
/// `{{first_name}}` is the person's value, `{{first_name|there}}` falls back to `there` where there is none.
struct Template: Sendable, Equatable {
    enum Style: Sendable {
        /// Values are escaped for element content and quoted attributes.
        case html
        case plain
        /// One header line: control characters of values become spaces, and the whole is cut at ``lineLimit``.
        case line
    }

    enum Segment: Sendable, Equatable {
        case literal([UInt8])
        /// The fallback is already escaped.
        case value(TemplateVariable, fallback: [UInt8])
    }

    /// RFC 5322 section 2.1.1: characters of one line, without its end.
    static let lineLimit = 998
    /// Bytes of a rendered text: many variables with long values must not make a message that no server takes.
    static let renderedLimit = 1 << 20

    let style: Style
    let segments: [Segment]
    private let literalBytes: Int

    init(style: Style, segments: [Segment]) {
        self.style = style
        self.segments = segments
        self.literalBytes = segments.reduce(0) { sum, segment in
            if case .literal(let bytes) = segment { sum + bytes.count } else { sum + 16 }
        }
    }

    /// nil when the text for these values passes ``renderedLimit``.
    func render(_ values: TemplateValues) -> String? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(self.literalBytes + 64)
        for segment in self.segments {
            switch segment {
            case .literal(let literal): bytes.append(contentsOf: literal)
            case .value(let variable, let fallback):
                let start = bytes.count
                if let value = values[variable] { Self.append(value, style: self.style, to: &bytes) }
                if bytes[start...].allSatisfy({ $0 == UInt8(ascii: " ") }) {
                    bytes.removeSubrange(start...)
                    bytes.append(contentsOf: fallback)
                }
            }
            guard bytes.count <= Self.renderedLimit else { return nil }
        }
        if self.style == .line { Self.cut(&bytes, at: Self.lineLimit) }
        return String(decoding: bytes, as: UTF8.self)
    }

    static func append(_ value: String, style: Style, to bytes: inout [UInt8]) {
        switch style {
        case .plain: bytes.append(contentsOf: value.utf8)
        case .line: for byte in value.utf8 { bytes.append(byte < 0x20 || byte == 0x7F ? UInt8(ascii: " ") : byte) }
        case .html:
            for byte in value.utf8 {
                switch byte {
                case UInt8(ascii: "&"): bytes.append(contentsOf: "&amp;".utf8)
                case UInt8(ascii: "<"): bytes.append(contentsOf: "&lt;".utf8)
                case UInt8(ascii: ">"): bytes.append(contentsOf: "&gt;".utf8)
                case UInt8(ascii: "\""): bytes.append(contentsOf: "&quot;".utf8)
                case UInt8(ascii: "'"): bytes.append(contentsOf: "&#39;".utf8)
                default: bytes.append(byte)
                }
            }
        }
    }

    /// Never inside a UTF-8 sequence.
    private static func cut(_ bytes: inout [UInt8], at limit: Int) {
        guard bytes.count > limit else { return }
        var end = limit
        while end > 0, bytes[end] & 0xC0 == 0x80 { end -= 1 }
        bytes.removeSubrange(end...)
    }
}
