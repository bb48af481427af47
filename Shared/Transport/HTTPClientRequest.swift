package import HTTPTypes

/// Where requests go, read once from a URL.
package struct HTTPOrigin: Sendable, Hashable {
    let scheme: String
    /// Host, and port if one was given, as in the URL.
    package let authority: String
    /// An address or a name, without brackets.
    package let host: String
    package let port: Int

    /// - Throws: ``TransportError`` (`invalidRequest`) for what is no http or https URL, or has a path of its own.
    package init(_ url: String) throws {
        let parts = try URLParts(url)
        guard parts.path == "/" else { throw TransportError.invalidRequest("an origin has no path") }
        self.init(parts)
    }

    init(_ parts: URLParts) {
        self.scheme = parts.isEncrypted ? "https" : "http"
        self.authority = parts.authority
        self.port = Int(parts.port)
        let isBracketed = parts.authority.hasPrefix("[")
        self.host = String(isBracketed ? parts.authority.dropFirst().prefix { $0 != "]" } : parts.authority.prefix { $0 != ":" })
    }

    package var isEncrypted: Bool { self.scheme == "https" }
}

/// A URL that was read once, for many requests to it. Its path may be a credential: it is not part of its description.
package struct HTTPTarget: Sendable, CustomStringConvertible, CustomReflectable {
    let origin: HTTPOrigin
    /// With its query.
    let path: String

    /// - Throws: ``TransportError`` (`invalidRequest`) as ``HTTPClientRequest`` does.
    package init(_ url: String) throws {
        let parts = try URLParts(url)
        self.origin = HTTPOrigin(parts)
        self.path = parts.path
    }

    /// - path: with its query, beginning with a slash.
    package init(_ origin: HTTPOrigin, path: String) {
        self.origin = origin
        self.path = path
    }

    package var description: String { "\(self.origin.scheme)://\(self.origin.authority)/***" }
    package var customMirror: Mirror { Mirror(reflecting: self.description) }
}

package struct HTTPClientRequest: Sendable {
    package enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// The closure is asked for the next chunk only as fast as the peer takes them, and not before there is a connection; nil ends the body.
        /// `length` nil sends chunked; another sum of chunks than `length` fails the transfer.
        case stream(length: Int64?, @Sendable () async throws -> [UInt8]?)
    }

    /// Method, scheme, authority, path and headers. Framing and connection headers (`Content-Length`, `Transfer-Encoding`, `Connection`,
    /// `Expect`, …) are the client's own: they are left out.
    package var head: HTTPRequest
    package var body: Body
    package var timeouts: Timeouts
    /// More than this of a body is ``TransportError/Kind/tooLarge``.
    package var maximumResponseBytes: Int

    /// - url: absolute http or https URL.
    /// - Throws: ``TransportError`` (`invalidRequest`) for another URL, one with user info, or one that is not plain ASCII.
    package init(
        _ method: HTTPRequest.Method,
        _ url: String,
        headers: HTTPFields = [:],
        body: Body = .none,
        timeouts: Timeouts = Timeouts(),
        maximumResponseBytes: Int = 16 << 20
    ) throws {
        self.init(
            method,
            try HTTPTarget(url),
            headers: headers,
            body: body,
            timeouts: timeouts,
            maximumResponseBytes: maximumResponseBytes
        )
    }

    package init(
        _ method: HTTPRequest.Method,
        _ target: HTTPTarget,
        headers: HTTPFields = [:],
        body: Body = .none,
        timeouts: Timeouts = Timeouts(),
        maximumResponseBytes: Int = 16 << 20
    ) {
        let origin = target.origin
        self.head = HTTPRequest(
            method: method,
            scheme: origin.scheme,
            authority: origin.authority,
            path: target.path,
            headerFields: headers
        )
        self.body = body
        self.timeouts = timeouts
        self.maximumResponseBytes = maximumResponseBytes
    }
}

/// A request whose every part was found fit to be sent.
struct CheckedRequest: Sendable {
    let url: String
    /// Scheme and authority: whose turn it takes.
    let hostKey: String
    let isEncrypted: Bool
    let request: HTTPClientRequest

    /// Headers that say how a message is framed or how its connection is used (RFC 9110 7.6.1): libcurl writes its own.
    private static let connectionFields: Set<HTTPField.Name> = Set(
        [
            "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "expect", "te", "trailer", "upgrade",
        ].compactMap { HTTPField.Name($0) }
    )

    init(_ request: HTTPClientRequest) throws(TransportError) {
        let head = request.head
        guard let scheme = head.scheme, scheme == "https" || scheme == "http", let authority = head.authority, let path = head.path else {
            throw .invalidRequest("a request needs scheme, authority and path")
        }
        guard path.hasPrefix("/"), Self.isPrintable(path), Self.isPrintable(authority), !authority.contains("@") else {
            throw .invalidRequest("authority and path are printable ASCII without spaces and user info")
        }
        for field in head.headerFields where !Self.isSafe(field) {
            throw .invalidRequest("the value of header \(field.name) holds a line break")
        }
        if case .none = request.body {
        } else if head.method == .head || head.method == .connect {
            throw .invalidRequest("a \(head.method.rawValue) request has no body")
        }
        if case .stream(let length?, _) = request.body, length < 0 {
            throw .invalidRequest("a body's length is not negative")
        }
        self.hostKey = scheme + "://" + authority
        self.url = self.hostKey + path
        self.isEncrypted = scheme == "https"
        self.request = request
    }

    static func isLeftOut(_ name: HTTPField.Name) -> Bool { self.connectionFields.contains(name) }

    private static func isPrintable(_ text: String) -> Bool {
        text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f && $0 != UInt8(ascii: "#") }
    }

    private static func isSafe(_ field: HTTPField) -> Bool {
        field.withUnsafeBytesOfValue { value in value.allSatisfy { $0 != 0x0d && $0 != 0x0a && $0 != 0 } }
    }
}
