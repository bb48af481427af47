import HTTPTypes
import Hummingbird
import Models
import NIOCore
import ServiceKit
import Transport

/// A request that may pass.
struct AdmittedRequest: Sendable {
    var route: Route
    /// nil on routes that are open to anyone.
    var principal: Principal?
    var body: HTTPClientRequest.Body
}

/// Serves what the gateway does not own itself: finds the route in the catalogue, lets the caller in or not, and lets the owning service
/// answer. It reads no body that it only forwards.
struct ReverseProxy: Sendable {
    let guardian: RequestGuard
    let security: SecurityHeaders
    let publicURL: String
    let maximumRequestBytes: Int
    let client: @Sendable (ServiceName) -> ServiceClient
    let slots = CallSlots()
    /// Bytes of a body that is not streamed.
    private static let atOnce = 64 << 10

    /// What can be reached from outside. Routes for other processes are not in it: nobody learns that they exist.
    static let routes = RouteIndex(
        RouteCatalogue.all.filter { route in
            if case .service = route.access { false } else { true }
        }
    )

    func handle(_ request: Request, _ context: BaseContext) async throws -> Response {
        self.security.add(to: context)
        let target = try RequestTarget(request.head.path ?? "")
        let route = try self.route(request, target, context)
        context.note(route: route)
        let principal = try await self.guardian.admit(request, context, route)
        if let principal { context.note(principal: principal) }
        try route.authorize(principal)
        // Only the form is checked here; what the key means is the owning service's business.
        if let key = request.headers[.idempotencyKey] { _ = try IdempotencyKey(header: key) }
        let body = try await ForwardedBody.make(request, context, maximum: self.maximumRequestBytes)
        let admitted = AdmittedRequest(route: route, principal: principal, body: body)
        // Taken after the body has come: a slow client holds no place of the others.
        var slot: CallSlots.Slot?
        if let principal { slot = try await self.slots.enter(principal.organizationID, isLong: route.timeout > Route.usualTimeout) }
        return try await self.response(try await self.send(request, target, admitted, context), holding: slot)
    }

    private func route(_ request: Request, _ target: RequestTarget, _ context: BaseContext) throws(Problem) -> Route {
        switch Self.routes.match(request.method, target.path) {
        // An own route that reaches the proxy is one that was not mounted.
        case .found(let route, _) where route.service == .gateway: throw .notFound
        case .found(let route, _): return route
        case .wrongMethod(let methods):
            context.addHeader(.allow, methods.map(\.rawValue).joined(separator: ", "))
            throw Problem(.methodNotAllowed, "This path knows \(methods.map(\.rawValue).joined(separator: ", ")).")
        case .unknown: throw .notFound
        }
    }

    /// Passes the request on with the signed identity in place of the client's credential. What the service client throws becomes 502, 503
    /// or 504 in the house's one place for errors.
    private func send(
        _ request: Request,
        _ target: RequestTarget,
        _ admitted: AdmittedRequest,
        _ context: BaseContext
    ) async throws -> HTTPClientResponse {
        var outgoing = OutgoingRequest(request.method, target.text, requestID: context.requestID, timeouts: Timeouts(admitted.route))
        outgoing.headers = ForwardedHeaders.request(request.headers)
        outgoing.body = admitted.body
        outgoing.principal = admitted.principal
        outgoing.publicURL = self.publicURL + target.text
        outgoing.clientAddress = context.clientAddress
        return try await self.client(admitted.route.service).send(outgoing)
    }

    /// - slot: kept until the answer has passed.
    private func response(_ answer: HTTPClientResponse, holding slot: CallSlots.Slot?) async throws -> Response {
        let headers = ForwardedHeaders.response(answer.head.headerFields)
        let length = headers[.contentLength].flatMap { Int($0) }
        if length == 0 || answer.head.status == .noContent || answer.head.status == .notModified {
            return Response(status: answer.head.status, headers: headers)
        }
        // A short body is there with its head: it goes out in one piece, and a fault in it is still a problem of its own.
        if let length, length <= Self.atOnce {
            let bytes = try await answer.collect(upTo: length)
            withExtendedLifetime(slot) {}
            return Response(status: answer.head.status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
        }
        let body = ResponseBody(contentLength: length) { writer in
            // A fault in the middle ends the client's connection: it must not take half an answer for a whole one.
            for try await chunk in answer.body { try await writer.write(ByteBuffer(bytes: chunk)) }
            try await writer.finish(nil)
            withExtendedLifetime(slot) {}
        }
        return Response(status: answer.head.status, headers: headers, body: body)
    }
}
