import HTTPTypes
import Logging
import Models
import NIOCore
import NIOHTTP1
import Synchronization

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
                principal: pass.outgoing.principal,
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
