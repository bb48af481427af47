package import HTTPTypes
package import Models
package import Transport

/// One request to a service of the house, as it goes to whichever replica.
package struct OutgoingRequest: Sendable {
    package var method: HTTPRequest.Method
    /// With its query.
    package var path: String
    package var headers: HTTPFields = [:]
    package var body = HTTPClientRequest.Body.none
    /// On whose behalf; only the gateway may say so.
    package var principal: Principal?
    package var publicURL: String?
    package var clientAddress: String?
    package var requestID: String
    package var traceParent = RequestScope.current?.traceParent ?? TraceParent()
    package var timeouts: Timeouts

    package init(_ method: HTTPRequest.Method, _ path: String, requestID: String, timeouts: Timeouts) {
        self.method = method
        self.path = path
        self.requestID = requestID
        self.timeouts = timeouts
    }

    /// Streams are bounded by their reader; whole answers by ``RequestLimits/internalBody``.
    var maximumResponseBytes: Int { .max }

    var signedBody: SignedRequest.Body {
        switch self.body {
        case .none: .bytes([])
        case .bytes(let bytes): .bytes(bytes)
        case .stream: .streamed
        }
    }

    var isRepeatable: Bool {
        if case .stream = self.body { return false }
        return true
    }
}

extension Timeouts {
    /// As the catalogue says of a route.
    package init(_ route: Route) {
        self.init()
        self.connect = .seconds(2)
        self.total = .seconds(route.timeout)
        self.idle = .seconds(route.timeout)
    }
}
