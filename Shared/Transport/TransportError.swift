/// Why an exchange with a peer did not end well. An answer of the peer, whatever its status, is no error.
package struct TransportError: Error, Sendable, CustomStringConvertible {
    package enum Kind: String, Sendable {
        case invalidRequest, resolve, connect, tls, refusedAddress, timedOut, connectionLost, tooLarge, shuttingDown, protocolError
        /// No turn came in time: the client itself is full, the peer was not tried.
        case busy
        /// The peer refused the credentials or the session itself (SMTP greeting, EHLO, AUTH).
        case authentication
    }

    package var kind: Kind
    /// True while no byte of the request can have reached the peer: it may be sent again without risk.
    package var surelyNotSent: Bool
    /// For operators: names no secret, but may name a host.
    package var detail: String

    package init(kind: Kind, surelyNotSent: Bool, detail: String) {
        self.kind = kind
        self.surelyNotSent = surelyNotSent
        self.detail = detail
    }

    package var description: String {
        "\(self.kind.rawValue)\(self.surelyNotSent ? " (not sent)" : ""): \(self.detail)"
    }

    static func invalidRequest(_ detail: String) -> TransportError {
        TransportError(kind: .invalidRequest, surelyNotSent: true, detail: detail)
    }
}
