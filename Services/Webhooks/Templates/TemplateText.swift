/// A string of a payload template, taken apart: `{{path}}` is a placeholder, with spaces around the path if one likes. `\{{` is a literal
/// `{{`; in front of `{{` two backslashes are one, elsewhere a backslash is itself.
struct TemplateText: Sendable, Equatable {
    enum Piece: Sendable, Equatable {
        case literal(String)
        /// Without braces and spaces around it.
        case placeholder(String)
    }

    private(set) var pieces: [Piece] = []
    /// For people.
    private(set) var faults: [String] = []

    init(_ text: String) {
        let bytes = Array(text.utf8)
        var position = 0
        var literal: [UInt8] = []
        while position < bytes.count {
            let slashes = bytes[position...].prefix { $0 == UInt8(ascii: "\\") }.count
            let next = position + slashes
            guard Self.opens(bytes, at: next) else {
                literal += bytes[position..<max(next, position + 1)]
                position = max(next, position + 1)
                continue
            }
            literal += [UInt8](repeating: UInt8(ascii: "\\"), count: slashes / 2)
            if slashes % 2 == 1 {
                literal += [Self.open, Self.open]
                position = next + 2
                continue
            }
            self.append(literal: &literal)
            guard let end = self.placeholder(in: bytes, from: next + 2) else { break }
            position = end
        }
        self.append(literal: &literal)
    }

    private static let open = UInt8(ascii: "{")
    private static let close = UInt8(ascii: "}")

    private static func opens(_ bytes: [UInt8], at position: Int) -> Bool {
        position + 1 < bytes.count && bytes[position] == self.open && bytes[position + 1] == self.open
    }

    private mutating func append(literal: inout [UInt8]) {
        guard !literal.isEmpty else { return }
        self.pieces.append(.literal(String(decoding: literal, as: UTF8.self)))
        literal = []
    }

    /// Where the text goes on after the placeholder; nil where it is not closed.
    private mutating func placeholder(in bytes: [UInt8], from start: Int) -> Int? {
        guard let end = (start..<max(start, bytes.count - 1)).first(where: { bytes[$0] == Self.close && bytes[$0 + 1] == Self.close })
        else {
            self.faults.append(#"a placeholder is not closed; write }} after the path, or \{{ for a literal {{"#)
            return nil
        }
        let isSpace = { (byte: UInt8) in byte == UInt8(ascii: " ") }
        let inner = bytes[start..<end].drop(while: isSpace).reversed().drop(while: isSpace).reversed()
        let path = String(decoding: inner, as: UTF8.self)
        if inner.isEmpty {
            self.faults.append(#"a placeholder is empty; write a path into it, or \{{ for a literal {{"#)
        } else if inner.contains(where: { $0 == Self.open || $0 == Self.close }) {
            self.faults.append("a placeholder holds a brace: \(path)")
        } else {
            self.pieces.append(.placeholder(path))
        }
        return end + 2
    }
}
