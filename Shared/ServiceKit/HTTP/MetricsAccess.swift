import Encryption
import HTTPTypes
package import Models

/// Who may read `/metrics` of a process.
package enum MetricsAccess: Sendable {
    case open
    /// Answered as an unknown path.
    case closed
    /// `Authorization: Bearer` with this token, as scrapers send it (RFC 6750).
    case token(Secret)

    /// The inside processes are open to who reaches them; the gateway, which strangers reach, asks for a token or tells nothing.
    package init(_ configuration: HouseConfiguration) {
        if let token = configuration.metricsToken {
            self = .token(token)
        } else {
            self = configuration.service == .gateway && configuration.environment == .production ? .closed : .open
        }
    }

    func admits(_ headers: HTTPFields) -> Bool {
        switch self {
        case .open: true
        case .closed: false
        case .token(let token): ConstantTime.equal(Array((headers[.authorization] ?? "").utf8), Array("Bearer \(token.reveal())".utf8))
        }
    }
}
