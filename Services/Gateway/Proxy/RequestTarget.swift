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
        guard text.utf8.first == UInt8(ascii: "/"), text.utf8.count <= Self.longest else { throw Self.unreadable }
        var (mark, previous, isPlain) = (text.utf8.count, UInt8(0), true)
        for (place, byte) in text.utf8.enumerated() {
            switch byte {
            case 0x00...0x20, 0x7F..., UInt8(ascii: "#"), UInt8(ascii: "\\"): throw Self.unreadable
            case UInt8(ascii: "?"): mark = min(mark, place)
            // Without an escape and a dot behind a slash there is one way to read a path.
            case UInt8(ascii: "%") where mark > place: isPlain = false
            case UInt8(ascii: ".") where mark > place && previous == UInt8(ascii: "/"): isPlain = false
            default: break
            }
            previous = byte
        }
        self.path = String(text.prefix(utf8: mark))
        self.query = String(text.dropFirst(utf8: mark))
        guard !isPlain else { return }
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

extension String {
    fileprivate func prefix(utf8 count: Int) -> Substring { self[..<self.utf8.index(self.startIndex, offsetBy: count)] }
    fileprivate func dropFirst(utf8 count: Int) -> Substring { self[self.utf8.index(self.startIndex, offsetBy: count)...] }
}
