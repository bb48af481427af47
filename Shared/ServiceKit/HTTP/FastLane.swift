import HTTPTypes
import Logging
package import Models
import NIOCore
package import NIOHTTP1
import Synchronization

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
    package var principal: Principal
    /// Of the answer, whatever it will be.
    package var headers: [(String, String)]
    /// Let go when the answer has passed, or the client is gone.
    package var holding: (any AnyObject & Sendable)?
    package var client: ServiceClient
    package var outgoing: LoopRequest

    package init(
        route: Route,
        principal: Principal,
        headers: [(String, String)],
        holding: any AnyObject & Sendable,
        client: ServiceClient,
        outgoing: LoopRequest
    ) {
        self.route = route
        self.principal = principal
        self.headers = headers
        self.holding = holding
        self.client = client
        self.outgoing = outgoing
    }
}

/// What the handlers of all connections share.
final class LaneAttendant: Sendable {
    let lane: any FastLane
    let log: AccessLog
    let logger: Logger
    let trustedProxies: [AddressRange]
    /// Of each event loop.
    private let calls = Mutex<[ObjectIdentifier: NIOLoopBound<LoopCalls>]>([:])

    init(lane: any FastLane, log: AccessLog, logger: Logger, trustedProxies: [AddressRange]) {
        self.lane = lane
        self.log = log
        self.logger = logger
        self.trustedProxies = trustedProxies
    }

    /// Called on the event loop.
    func calls(on eventLoop: any EventLoop) -> LoopCalls {
        let bound = self.calls.withLock { known in
            if let bound = known[ObjectIdentifier(eventLoop)] { return bound }
            let bound = NIOLoopBound(LoopCalls(on: eventLoop), eventLoop: eventLoop)
            known[ObjectIdentifier(eventLoop)] = bound
            return bound
        }
        return bound.value
    }

    /// nil where the request is none of the lane's.
    func request(_ head: HTTPRequestHead, from socket: String?) -> LaneRequest? {
        guard head.method == .GET, !head.headers.contains(name: "content-length"), !head.headers.contains(name: "transfer-encoding") else {
            return nil
        }
        return LaneRequest(
            target: head.uri,
            headers: head.headers,
            requestID: RequestIdentifiers.requestID(given: head.headers.combined("x-request-id")),
            traceParent: head.headers.combined("traceparent").flatMap { TraceParent($0)?.child() } ?? TraceParent(),
            clientAddress: self.trustedProxies.isEmpty
                ? socket
                : ClientAddress.resolve(
                    socket: socket,
                    forwardedFor: head.headers.combined("x-forwarded-for"),
                    trusted: self.trustedProxies
                )
        )
    }

    /// 499 stands for a client that left before its answer, as nginx has it.
    func record(_ passage: LanePassage, isComplete: Bool) {
        let (request, pass) = (passage.request, passage.pass)
        let entry = AccessLog.Entry(
            observed: ObservedRequest(
                route: pass.route,
                principal: pass.principal,
                status: passage.status ?? 499,
                duration: ContinuousClock.now - passage.start,
                requestBytes: nil,
                responseBytes: Int64(passage.bytes),
                clientAddress: request.clientAddress,
                agent: request.headers.combined("user-agent"),
                requestID: request.requestID
            ),
            method: .get,
            target: request.target,
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

/// One request on its way through the lane. Touched on its event loop alone.
final class LanePassage {
    let request: LaneRequest
    var pass: LanePass
    let start: ContinuousClock.Instant
    var call: LoopCall?
    /// What the service answered, until it is passed on.
    var head: (status: HTTPResponseStatus, headers: [(String, String)])?
    /// Of an answer that is passed on whole.
    var whole = ByteBuffer()
    /// Short enough to be waited for: a fault in it is still a problem of its own.
    var isWhole = false
    /// Of the answer, once its head is written.
    var status: Int?
    var bytes = 0

    init(_ request: LaneRequest, _ pass: LanePass, since start: ContinuousClock.Instant) {
        self.request = request
        self.pass = pass
        self.start = start
    }
}

extension HTTPHeaders {
    /// All values of a name as one (RFC 9110 section 5.3); nil where there is none.
    package func combined(_ name: String) -> String? {
        let values = self[name]
        let text = values.count < 2 ? values.first : values.joined(separator: ", ")
        // The decoder leaves the space behind a value, which is none of it (section 5.5).
        guard let last = text?.utf8.last, last == UInt8(ascii: " ") || last == UInt8(ascii: "\t") else { return text }
        return text.map { text in
            let end = text.utf8.lastIndex { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
            return end.map { String(text[...$0]) } ?? ""
        }
    }
}
