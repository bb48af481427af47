package import Models
package import NIOHTTP1

/// Serves usual requests on the event loop of their connection, without a task: each change of thread costs more than all that is to be done for
/// them. Whatever would have to wait, for the database or for a turn, or is out of the ordinary, goes the pipeline's way.
package protocol FastLane: Sendable {
    /// Called on an event loop: it must neither wait nor do much.
    /// - Returns: nil for the pipeline's way; then nothing has been taken, noted or sent.
    func admit(_ request: LaneRequest) -> LanePass?

    /// What the client gets to see of the headers that a service answered with.
    func passed(_ headers: HTTPHeaders) -> [(String, String)]
}

/// A GET without a body.
package struct LaneRequest {
    /// As it stands in the request line, with its query.
    package let target: String
    package let headers: HTTPHeaders
    /// `X-Request-Id`, accepted or made.
    package let requestID: String
    /// A child of the client's.
    package let traceParent: TraceParent
    package let clientAddress: String?
}

/// A request that was admitted: it is answered in the lane, whatever comes.
package struct LanePass {
    package var route: Route
    /// Of the answer, whatever it will be.
    package var headers: [(String, String)]
    /// Let go when the answer has passed, or the client is gone.
    package var holding: (any AnyObject & Sendable)?
    package var client: ServiceClient
    package var outgoing: LoopRequest

    package init(
        route: Route,
        headers: [(String, String)],
        holding: any AnyObject & Sendable,
        client: ServiceClient,
        outgoing: LoopRequest
    ) {
        self.route = route
        self.headers = headers
        self.holding = holding
        self.client = client
        self.outgoing = outgoing
    }
}
