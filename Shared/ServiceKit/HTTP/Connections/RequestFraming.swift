import NIOHTTP1

/// Where a request ends and what becomes of its connection, read from its head. Two servers that read one head differently can be made to see
/// different requests (request smuggling): whatever leaves a choice is refused.
package struct RequestFraming: Equatable {
    /// The connection ends behind the answer.
    var closes = false
    /// HTTP/1.0.
    var isOld = false
    /// nil without `Content-Length`.
    var length: Int?

    enum Fault: String, Error {
        case host = "A request has exactly one Host."
        case transferEncoding = "The only transfer encoding is chunked, once, in HTTP/1.1."
        case contentLength = "Content-Length is one whole number."
        case bothLengths = "A request has either Transfer-Encoding or Content-Length."
        case malformed = "The request is not HTTP/1.1."
    }

    init() {}

    /// RFC 9112: sections 3.2 (Host), 6.1 and 6.3 (lengths), 9.3 and 9.6 (persistence).
    init(_ head: HTTPRequestHead) throws(Fault) {
        guard head.version.major == 1 else { throw .malformed }
        var (hosts, codings) = (0, 0)
        let isCurrent = head.version.minor >= 1
        self.isOld = !isCurrent
        var isUpgrade = head.method == .CONNECT
        for (name, value) in head.headers {
            switch name.utf8.count {
            case 4 where name.lowercased() == "host":
                hosts += 1
                guard Self.isHost(value) else { throw .host }
            case 7 where name.lowercased() == "upgrade": isUpgrade = true
            case 10 where name.lowercased() == "connection":
                let options = value.split(separator: ",").map { Self.trimmed($0).lowercased() }
                if options.contains("close") { self.closes = true }
            case 14 where name.lowercased() == "content-length":
                guard self.length == nil, let length = Self.length(value) else { throw .contentLength }
                self.length = length
            case 17 where name.lowercased() == "transfer-encoding":
                codings += 1
                guard codings == 1, isCurrent, Self.trimmed(value[...]).lowercased() == "chunked" else {
                    throw .transferEncoding
                }
            default: break
            }
        }
        guard hosts == 1 || (hosts == 0 && !isCurrent) else { throw .host }
        if codings > 0, self.length != nil { throw .bothLengths }
        // What follows a request that asks for another protocol is not read as a request. HTTP/1.0 has no persistence of its own, and an answer of
        // unknown length ends with its connection.
        if isUpgrade || self.isOld { self.closes = true }
    }

    /// Digits alone: no sign, no list, and no more than any body has.
    private static func length(_ text: String) -> Int? {
        let digits = self.trimmed(text[...])
        guard (1...18).contains(digits.utf8.count), digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return Int(digits)
    }

    package static let hostFault = Fault.host.rawValue

    private static let hostCharacters = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~%!$&'()*+;=:[]".utf8)

    /// RFC 3986 `host [":" port]`, by its characters: no list, no path, no user.
    package static func isHost(_ text: String) -> Bool {
        let host = self.trimmed(text[...])
        return host.utf8.count <= 255 && host.utf8.allSatisfy(self.hostCharacters.contains)
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " || $0 == "\t" }
        while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
        return text
    }
}
