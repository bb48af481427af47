import HTTPTypes
import Hummingbird
import Logging
import Metrics
import Models
import NIOCore
import Synchronization

/// The way of every request: identifiers, route, access, handler, and one answer for every error; then the access log.
struct RequestPipeline: HTTPResponder {
    typealias Context = BaseContext

    private let service: ServiceName
    private let index: RouteIndex
    private let handlers: [Route: RouteTable.Handler]
    private let authenticator: RouteTable.Authenticator?
    private let doorman: RouteTable.Doorman?
    private let fallback: RouteTable.Fallback?
    private let interceptor: RouteTable.Interceptor?
    private let log: AccessLog
    private let access: AccessCheck
    private let operations: OperationsRoutes
    private let trustedProxies: [AddressRange]

    init(_ mounted: RouteTable.Mounted, access: AccessCheck, operations: OperationsRoutes, log: AccessLog, trustedProxies: [AddressRange]) {
        self.service = access.service
        self.index = RouteIndex(Array(mounted.handlers.keys))
        self.handlers = mounted.handlers
        self.authenticator = mounted.authenticator
        self.doorman = mounted.doorman
        self.fallback = mounted.fallback
        self.interceptor = mounted.interceptor
        self.log = log
        self.access = access
        self.operations = operations
        self.trustedProxies = trustedProxies
    }

    func respond(to request: Request, context: BaseContext) async throws -> Response {
        let start = ContinuousClock.now
        var context = context
        let trace = (request.headers[.traceParent].flatMap { TraceParent($0) } ?? TraceParent()).child()
        context.requestID = RequestIdentifiers.requestID(given: request.headers[.requestID])
        context.traceParent = trace.description
        context.clientAddress = ClientAddress.resolve(
            socket: context.remoteAddress?.ipAddress,
            forwardedFor: request.headers[.forwardedFor],
            trusted: self.trustedProxies
        )
        context.logger[metadataKey: "request_id"] = "\(context.requestID)"
        context.logger[metadataKey: "trace_id"] = "\(trace.traceID)"
        let scope = RequestScope(requestID: context.requestID, traceParent: trace)
        let served = context
        let asked = Self.withGet(request)
        var response = await withLogger(context.logger) { _ in
            await RequestScope.$current.withValue(scope) { await self.answer(asked, served) }
        }
        if request.method == .head { response = await Self.withoutBody(response) }
        self.finish(&response, request, context)
        return self.log.attach(to: response, request, context, since: start)
    }

    private func answer(_ request: Request, _ context: BaseContext) async -> Response {
        do {
            if let response = await self.operations.answer(request) { return response }
            if let response = try await self.interceptor?(request, context) { return response }
            switch self.index.match(request.method, request.uri.path) {
            case .found(let route, let parameters):
                context.note(route: route)
                return try await self.serve(route, request, context, parameters)
            case .wrongMethod(let methods):
                context.addHeader(.allow, methods.map(\.rawValue).joined(separator: ", "))
                throw Problem(.methodNotAllowed, "This path takes \(methods.map(\.rawValue).joined(separator: ", ")).")
            case .unknown:
                guard let fallback else { throw Problem.notFound }
                return try await fallback(request, context)
            }
        } catch {
            return self.answer(error, context)
        }
    }

    private func serve(_ route: Route, _ request: Request, _ context: BaseContext, _ parameters: Parameters) async throws -> Response {
        var request = request
        try request.checkBodyHasMeaning()
        switch self.handlers[route] {
        case .caller(let handler):
            let caller = try await self.caller(route, &request, context, parameters)
            context.note(principal: caller.principal)
            let metadata: Logger.Metadata = ["organization_id": "\(caller.organizationID)"]
            let ready = request
            return try await withLogger(mergingMetadata: metadata) { _ in try await handler(ready, caller) }
        case .open(let handler):
            var context = context
            context.coreContext.parameters = parameters
            if self.service == .gateway {
                try await self.doorman?(context, route)
            } else {
                let identity = try await self.access.gatewayIdentity(of: &request)
                context.clientAddress = identity.clientAddress
            }
            return try await handler(request, context)
        case .peer(let handler):
            guard case .service(let allowed) = route.access else { throw Problem.notFound }
            // Strangers reach the gateway: they are not told what it keeps for the house.
            if self.service == .gateway, request.headers[.switchboardIdentity] == nil { throw Problem.notFound }
            let identity = try await self.access.peerIdentity(of: &request, allowed: allowed)
            context.notes.update { $0.caller = identity.caller }
            return try await handler(request, PeerContext(identity: identity, requestID: context.requestID, parameters: parameters))
        case nil: throw Problem.notFound
        }
    }

    private func caller(
        _ route: Route,
        _ request: inout Request,
        _ context: BaseContext,
        _ parameters: Parameters
    ) async throws -> CallerContext {
        var identity: InternalIdentity?
        let principal: Principal?
        if self.service == .gateway {
            principal = try await self.authenticator?(request, context, route)
        } else {
            identity = try await self.access.gatewayIdentity(of: &request)
            principal = identity?.principal
        }
        guard let principal else { throw Problem(.unauthenticated, "Send a bearer token or an API key.") }
        try AccessCheck.authorize(principal, for: route.access)
        return CallerContext(
            principal: principal,
            route: route,
            parameters: parameters,
            requestID: context.requestID,
            clientAddress: identity?.clientAddress ?? context.clientAddress,
            publicURL: identity?.publicURL
        )
    }

    private func answer(_ error: any Error, _ context: BaseContext) -> Response {
        let answer = ErrorAnswer(error)
        answer.log(error, to: Logger.current)
        return answer.problem.response(requestID: context.requestID)
    }

    private func finish(_ response: inout Response, _ request: Request, _ context: BaseContext) {
        response.headers.addHouse(context.notes.snapshot.headers, requestID: context.requestID)
        // A body that was refused for its size is not read to its end: the connection closes behind the answer (DoorHandler).
        if response.status == .contentTooLarge { response.headers[.connection] = "close" }
    }

    /// What GET would have answered, with its length; a body whose length is not known is counted.
    private static func withoutBody(_ response: Response) async -> Response {
        var response = response
        if response.body.contentLength == nil {
            let counter = BodyCounter()
            // Broken off: GET would have been, too. Its head is what was asked for.
            try? await response.body.write(CountingSink(counter: counter))
            response.headers[.contentLength] = String(counter.bytes)
        }
        return response.createHeadResponse()
    }

    /// HEAD is served as GET (RFC 9110 section 9.3.2): whatever knows GET knows it.
    private static func withGet(_ request: Request) -> Request {
        guard request.method == .head else { return request }
        var head = request.head
        head.method = .get
        return Request(head: head, body: request.body)
    }
}

/// Counts a body that nobody reads.
private final class BodyCounter: Sendable {
    private let count = Mutex(0)
    var bytes: Int { self.count.withLock { $0 } }
    func add(_ bytes: Int) { self.count.withLock { $0 += bytes } }
}

private struct CountingSink: ResponseBodyWriter {
    let counter: BodyCounter

    mutating func write(_ buffer: ByteBuffer) async throws { self.counter.add(buffer.readableBytes) }
    consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}

extension HTTPFields {
    /// What every answer of the house carries.
    /// - noted: while the request was served.
    mutating func addHouse(_ noted: [(HTTPField.Name, String)], requestID: String) {
        for (name, value) in noted {
            if name == .vary, let given = self[.vary] {
                self[.vary] = "\(given), \(value)"
            } else {
                self[name] = value
            }
        }
        self[.requestID] = requestID
        if !self.contains(.xContentTypeOptions) { self[.xContentTypeOptions] = "nosniff" }
        if !self.contains(.cacheControl) { self[.cacheControl] = "no-store" }
    }
}
