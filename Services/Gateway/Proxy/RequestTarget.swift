import Models
import ServiceKit

/// A request target in origin form that means the same to everybody who reads it.
struct RequestTarget: Sendable, Equatable {
    /// As it was sent; the services match and the identity signs the same text.
    let path: String
    /// With its `?`, or empty.
    let query: String

    static let longest = 8_192

    var text: String { self.path + self.query }

    /// - Throws: 400 for what could be read in more than one way: another form than `/path?query`, fragments, control characters, broken
    ///   escapes, escaped slashes, backslashes or NUL, and dot segments, escaped or not.
    init(_ text: String) throws(Problem) {
        guard text.utf8.first == UInt8(ascii: "/"), text.utf8.count <= Self.longest,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") && $0 != UInt8(ascii: "\\") })
        else { throw Self.unreadable }
        let mark = text.firstIndex(of: "?") ?? text.endIndex
        self.path = String(text[..<mark])
        self.query = String(text[mark...])
        // Without an escape and a dot behind a slash there is one way to read it.
        let bytes = self.path.utf8
        guard bytes.contains(UInt8(ascii: "%")) || self.path.contains("/.") else { return }
        for segment in self.path.split(separator: "/") { try Self.check(segment) }
    }

    private static let unreadable = Problem(.badRequest, "The request's path can be read in more than one way.")

    private static func check(_ segment: Substring) throws(Problem) {
        // Decoded once, as the service will: a doubly escaped dot or slash is plain text for both.
        guard let text = PercentCoding.decode(segment), text != ".", text != "..",
            text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "\\") })
        else { throw self.unreadable }
    }
}
