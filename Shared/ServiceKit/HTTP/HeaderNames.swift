package import NIOHTTP1

/// Names of header fields, asked for in any case (RFC 9110 section 5.1). Made for a look at each header of each request: no text is made, nothing
/// hashed.
package struct HeaderNames: Sendable, ExpressibleByArrayLiteral {
    /// By length, in lower case.
    private let byLength: [[[UInt8]]]

    package init(arrayLiteral names: String...) {
        var byLength = [[[UInt8]]](repeating: [], count: (names.map(\.utf8.count).max() ?? 0) + 1)
        for name in names { byLength[name.utf8.count].append(Array(name.lowercased().utf8)) }
        self.byLength = byLength
    }

    package func contains(_ name: String) -> Bool {
        let length = name.utf8.count
        guard length < self.byLength.count else { return false }
        return self.byLength[length].contains { $0.elementsEqual(name.utf8) { $0 == $1.lowercase } }
    }
}

extension String {
    package func isSameName(as other: String) -> Bool {
        self.utf8.count == other.utf8.count && self.utf8.elementsEqual(other.utf8) { $0.lowercase == $1.lowercase }
    }

    /// - prefix: in lower case.
    package func isName(beginningWith prefix: StaticString) -> Bool {
        let start = self.utf8.prefix(prefix.utf8CodeUnitCount)
        return start.count == prefix.utf8CodeUnitCount
            && prefix.withUTF8Buffer { prefix in start.elementsEqual(prefix) { $0.lowercase == $1 } }
    }
}

extension HTTPHeaders {
    /// All values of a name as one (RFC 9110 section 5.3); nil where there is none.
    package func combined(_ name: String) -> String? {
        let values = self[name]
        let text = values.count < 2 ? values.first : values.joined(separator: ", ")
        // The decoder leaves the space behind a value, which is none of it (section 5.5).
        guard let last = text?.utf8.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") else { return text }
        return text.map { text in
            let end = text.utf8.lastIndex { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
            return end.map { String(text[...$0]) } ?? ""
        }
    }
}

extension UInt8 {
    fileprivate var lowercase: UInt8 { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(self) ? self | 0x20 : self }
}
