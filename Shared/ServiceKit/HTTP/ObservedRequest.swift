package import Models

/// A request that has been answered, as ``RouteTable/observe(_:)`` tells of it. Small: it is made for every request.
package struct ObservedRequest: Sendable {
    /// nil where the catalogue knows no such route.
    package var route: Route?
    /// nil where nobody was known to ask.
    package var principal: Principal?
    package var status: Int
    /// From the request's head to the end of its answer.
    package var duration: Duration
    /// As the client announced; nil where it did not.
    package var requestBytes: Int64?
    package var responseBytes: Int64
    package var clientAddress: String?
    /// `User-Agent` as it came.
    package var agent: String?
    package var requestID: String

    package init(
        route: Route?,
        principal: Principal?,
        status: Int,
        duration: Duration,
        requestBytes: Int64?,
        responseBytes: Int64,
        clientAddress: String?,
        agent: String?,
        requestID: String
    ) {
        self.route = route
        self.principal = principal
        self.status = status
        self.duration = duration
        self.requestBytes = requestBytes
        self.responseBytes = responseBytes
        self.clientAddress = clientAddress
        self.agent = agent
        self.requestID = requestID
    }
}
