package import Models
package import Transport

/// A GET without a body to a service of the house, for ``LoopCall``: what ``OutgoingRequest`` is for ``ServiceClient/send(_:)``.
package struct LoopRequest {
    /// With its query, as it stands in the request line.
    package var target: String
    /// What passes from the client; none that the call writes itself: `Host`, identity, request id, trace.
    package var headers: [(String, String)]
    /// On whose behalf.
    package var principal: Principal
    package var publicURL: String
    package var clientAddress: String?
    package var requestID: String
    package var traceParent: TraceParent
    package var timeouts: Timeouts

    package init(
        target: String,
        headers: [(String, String)],
        principal: Principal,
        publicURL: String,
        clientAddress: String?,
        requestID: String,
        traceParent: TraceParent,
        timeouts: Timeouts
    ) {
        self.target = target
        self.headers = headers
        self.principal = principal
        self.publicURL = publicURL
        self.clientAddress = clientAddress
        self.requestID = requestID
        self.traceParent = traceParent
        self.timeouts = timeouts
    }
}
