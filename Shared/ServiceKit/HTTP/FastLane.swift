package import HTTPTypes
import Logging
package import Models
package import NIOHTTP1
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
    /// As it stands in the request line, with its query.
    package let target: String
    package let headers: HTTPFields
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
    package var headers: [(String, String)]
    /// Let go when the answer has passed, or the client is gone.
    package var holding: any AnyObject & Sendable
    /// Begins the call and tells its end once, on any thread.
    package var begin: @Sendable (_ answered: @escaping @Sendable (Result<LaneAnswer, any Error>) -> Void) -> ServiceCall

    package init(
        route: Route,
        principal: Principal,
        headers: [(String, String)],
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
    /// HTTP status code.
    package var status: Int
    package var headers: HTTPHeaders
    package var body: ResponseBodyStream

    package init(status: Int, headers: HTTPHeaders, body: ResponseBodyStream) {
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
    func request(_ head: HTTPRequestHead, from socket: String?) -> LaneRequest? {
        guard head.method == .GET, !head.headers.contains(name: "content-length"), !head.headers.contains(name: "transfer-encoding") else {
            return nil
        }
        let fields = HTTPFields(head.headers)
        return LaneRequest(
            target: head.uri,
            headers: fields,
            requestID: RequestIdentifiers.requestID(given: fields.contains(.requestID) ? fields[.requestID] : nil),
            traceParent: fields.contains(.traceParent)
                ? fields[.traceParent].flatMap { TraceParent($0)?.child() } ?? TraceParent() : TraceParent(),
            clientAddress: self.trustedProxies.isEmpty
                ? socket : ClientAddress.resolve(socket: socket, forwardedFor: fields[.forwardedFor], trusted: self.trustedProxies)
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
                agent: request.headers[.userAgent],
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
    /// Of those of its connection.
    let number: UInt64
    let request: LaneRequest
    let pass: LanePass
    let start: ContinuousClock.Instant
    var call: ServiceCall?
    var stream: Task<Void, Never>?
    /// Of the answer, once its head is written.
    var status: Int?
    var bytes = 0

    init(number: UInt64, request: LaneRequest, pass: LanePass, start: ContinuousClock.Instant) {
        self.number = number
        self.request = request
        self.pass = pass
        self.start = start
    }

    func cancel() {
        self.call?.cancel()
        self.stream?.cancel()
    }
}

extension HTTPFields {
    /// Without `Host`, which is no field of its own there.
    fileprivate init(_ headers: HTTPHeaders) {
        self.init()
        self.reserveCapacity(headers.count)
        for (name, value) in headers {
            guard let name = HTTPField.Name(name), name.canonicalName != "host" else { continue }
            self.append(HTTPField(name: name, value: value))
        }
    }
}

extension HTTPHeaders {
    package init(_ fields: HTTPFields) {
        self.init()
        self.reserveCapacity(fields.count + 12)
        for field in fields { self.add(name: field.name.rawName, value: field.value) }
    }
}
