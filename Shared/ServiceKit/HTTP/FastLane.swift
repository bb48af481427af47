package import HTTPTypes
import Logging
package import Models
package import Transport

/// Serves usual requests on the event loop of their connection, without a task: each change of thread costs more than all that is to be done for
/// them. Whatever would have to wait, for the database or for a turn, or is out of the ordinary, goes the pipeline's way.
package protocol FastLane: Sendable {
    /// Called on an event loop: it must neither wait nor do much.
    /// - Returns: nil for the pipeline's way; then nothing has been taken, noted or sent.
    func admit(_ request: LaneRequest) -> LanePass?
}

/// A GET without a body.
package struct LaneRequest: Sendable {
    package let head: HTTPRequest
    /// `X-Request-Id`, accepted or made.
    package let requestID: String
    /// A child of the client's.
    package let traceParent: TraceParent
    package let clientAddress: String?
}

/// A request that was admitted: it is answered in the lane, whatever comes.
package struct LanePass: Sendable {
    package var route: Route
    package var principal: Principal
    /// Of the answer, whatever it will be.
    package var headers: [(HTTPField.Name, String)]
    /// Let go when the answer has passed, or the client is gone.
    package var holding: any AnyObject & Sendable
    /// Begins the call and tells its end once, on any thread.
    package var begin: @Sendable (_ answered: @escaping @Sendable (Result<LaneAnswer, any Error>) -> Void) -> ServiceCall

    package init(
        route: Route,
        principal: Principal,
        headers: [(HTTPField.Name, String)],
        holding: any AnyObject & Sendable,
        begin: @escaping @Sendable (@escaping @Sendable (Result<LaneAnswer, any Error>) -> Void) -> ServiceCall
    ) {
        self.route = route
        self.principal = principal
        self.headers = headers
        self.holding = holding
        self.begin = begin
    }
}

package struct LaneAnswer: Sendable {
    package var status: HTTPResponse.Status
    package var headers: HTTPFields
    package var body: ResponseBodyStream

    package init(status: HTTPResponse.Status, headers: HTTPFields, body: ResponseBodyStream) {
        self.status = status
        self.headers = headers
        self.body = body
    }
}

/// What the handlers of all connections share.
struct LaneAttendant: Sendable {
    let lane: any FastLane
    let log: AccessLog
    let logger: Logger
    let trustedProxies: [AddressRange]

    /// nil where the request is none of the lane's.
    func request(_ head: HTTPRequest, from socket: String?) -> LaneRequest? {
        guard head.method == .get, !head.headerFields.contains(.contentLength), !head.headerFields.contains(.transferEncoding) else {
            return nil
        }
        let fields = head.headerFields
        return LaneRequest(
            head: head,
            requestID: RequestIdentifiers.requestID(given: fields[.requestID]),
            traceParent: (fields[.traceParent].flatMap { TraceParent($0) } ?? TraceParent()).child(),
            clientAddress: self.trustedProxies.isEmpty
                ? socket : ClientAddress.resolve(socket: socket, forwardedFor: fields[.forwardedFor], trusted: self.trustedProxies)
        )
    }

    func record(_ passage: LanePassage, status: Int, bytes: Int, isComplete: Bool) {
        let (request, pass) = (passage.request, passage.pass)
        let entry = AccessLog.Entry(
            observed: ObservedRequest(
                route: pass.route,
                principal: pass.principal,
                status: status,
                duration: ContinuousClock.now - passage.start,
                requestBytes: nil,
                responseBytes: Int64(bytes),
                clientAddress: request.clientAddress,
                agent: request.head.headerFields[.userAgent],
                requestID: request.requestID
            ),
            method: request.head.method,
            path: String((request.head.path ?? "").prefix { $0 != "?" }),
            isComplete: isComplete
        )
        self.log.record(entry, to: self.logger(of: request))
    }

    func logger(of request: LaneRequest) -> Logger {
        guard self.logger.logLevel <= .info else { return self.logger }
        var logger = self.logger
        logger[metadataKey: "request_id"] = "\(request.requestID)"
        logger[metadataKey: "trace_id"] = "\(request.traceParent.traceID)"
        return logger
    }
}

/// One request on its way through the lane.
struct LanePassage {
    /// Of those of its connection.
    let number: UInt64
    let request: LaneRequest
    let pass: LanePass
    let start: ContinuousClock.Instant
}
