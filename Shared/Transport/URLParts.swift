/// An absolute http or https URL taken apart, strictly: what is odd is refused rather than interpreted.
struct URLParts: Equatable {
    enum Host: Equatable {
        case address(IPAddress)
        /// Lower case, without a final dot.
        case name(String)

        /// - text: without brackets for a name or IPv4; with brackets for IPv6. Odd spellings of IPv4 are addresses (inet_aton).
        init?(_ text: String) {
            if text.hasPrefix("[") {
                guard text.hasSuffix("]"), case .v6(let high, let low)? = IPAddress(text.dropFirst().dropLast()) else { return nil }
                self = .address(.v6(high, low))
                return
            }
            if case .v6(let high, let low)? = IPAddress(text) {
                self = .address(.v6(high, low))
                return
            }
            var name = text.lowercased()
            if name.hasSuffix(".") { name.removeLast() }
            guard Self.isName(name) else { return nil }
            if let address = IPAddress(loose: name) {
                self = .address(address)
                return
            }
            // A last label that begins like a number makes it an address to some resolver: refused, as the URL standard does.
            guard let last = name.split(separator: ".", omittingEmptySubsequences: false).last, !Self.isNumeric(last) else { return nil }
            self = .name(name)
        }

        /// RFC 1123, plus the underscore that real host names hold.
        private static func isName(_ text: String) -> Bool {
            guard (1...253).contains(text.utf8.count) else { return false }
            return text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { label in
                (1...63).contains(label.count)
                    && label.allSatisfy { $0.isLetterOrDigit || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
            }
        }

        private static func isNumeric(_ label: Substring) -> Bool {
            label.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } || label.hasPrefix("0x")
        }
    }

    let isEncrypted: Bool
    let host: Host
    let port: UInt16
    /// As given: host, and port if there is one.
    let authority: String
    /// Path and query, at least `/`; a fragment is dropped, it is never sent.
    let path: String

    init(_ url: String) throws(TransportError) {
        guard url.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "\\") }), url.utf8.count <= 8192 else {
            throw .invalidRequest("a URL is printable ASCII without spaces, at most 8192 bytes")
        }
        let scheme = url.prefix { $0 != ":" }
        let afterScheme = url[scheme.endIndex...]
        guard afterScheme.hasPrefix("://") else { throw .invalidRequest("it must begin with https://") }
        switch scheme.lowercased() {
        case "https": self.isEncrypted = true
        case "http": self.isEncrypted = false
        default: throw .invalidRequest("it must begin with https://")
        }
        let rest = afterScheme.dropFirst(3)
        let end = rest.firstIndex { $0 == "/" || $0 == "?" || $0 == "#" } ?? rest.endIndex
        self.authority = String(rest[..<end])
        (self.host, self.port) = try Self.split(authority: self.authority, isEncrypted: self.isEncrypted)
        let tail = rest[end...].prefix { $0 != "#" }
        self.path = tail.hasPrefix("/") ? String(tail) : "/" + tail
    }

    private static func split(authority: String, isEncrypted: Bool) throws(TransportError) -> (Host, UInt16) {
        guard !authority.contains("@") else { throw .invalidRequest("a user name or password has no place in the URL") }
        var host = authority[...]
        var port: UInt16 = isEncrypted ? 443 : 80
        let afterBrackets = authority.hasPrefix("[") ? (authority.firstIndex(of: "]") ?? authority.startIndex) : authority.startIndex
        if let colon = authority[afterBrackets...].firstIndex(of: ":") {
            let digits = authority[authority.index(after: colon)...]
            guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), digits.count <= 5, let given = UInt16(digits), given > 0 else {
                throw .invalidRequest("the port must be a number from 1 to 65535")
            }
            host = authority[..<colon]
            port = given
        }
        guard let parsed = Host(String(host)), authority.hasPrefix("[") || !host.contains(":") else {
            throw .invalidRequest("the host is not a name or address")
        }
        return (parsed, port)
    }
}

extension UInt8 {
    var isLetterOrDigit: Bool {
        (0x30...0x39).contains(self) || (0x41...0x5a).contains(self) || (0x61...0x7a).contains(self)
    }
}
