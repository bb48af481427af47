import Models

/// A stretch of a payload template's output.
enum TemplateSegment: Sendable {
    /// JSON text as it is.
    case literal([UInt8])
    /// The JSON of a value; null where there is none.
    case value(EventPath)
    /// A value inside a string, whose quotes are literal: strings as they are, null and absent as nothing, the rest as compact JSON.
    case text(EventPath)

    func write(_ event: EventView, into bytes: inout [UInt8]) {
        switch self {
        case .literal(let literal): bytes += literal
        case .value(let path): (path.value(in: event) ?? .null).write(into: &bytes)
        case .text(let path):
            switch path.value(in: event) ?? .null {
            case .null: return
            case .string(let text): Self.writeEscaped(text, into: &bytes)
            case let value: Self.writeEscaped(value.text, into: &bytes)
            }
        }
    }

    /// As ``JSONText/writeString(_:into:)``, without its quotes.
    static func writeEscaped(_ text: String, into bytes: inout [UInt8]) {
        let start = bytes.count
        JSONText.writeString(text, into: &bytes)
        bytes.removeLast()
        bytes.remove(at: start)
    }
}
