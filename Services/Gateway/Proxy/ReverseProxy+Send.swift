import HTTPTypes
import Hummingbird
import Logging
import Models
import ServiceKit
import Transport

extension ReverseProxy {
    /// Passes the request on with the signed identity in place of the client's credential.
    func send(
        _ request: Request,
        _ target: RequestTarget,
        _ admitted: AdmittedRequest,
        _ context: BaseContext
    ) async throws -> HTTPClientResponse {
        var timeouts = Timeouts()
        timeouts.total = .seconds(admitted.route.timeout)
        timeouts.idle = .seconds(admitted.route.timeout)
        do {
            return try await self.client(admitted.route.service).send(
                request.method,
                path: target.text,
                headers: ForwardedHeaders.request(request.headers),
                body: admitted.body,
                principal: admitted.principal,
                publicURL: self.publicURL + target.text,
                clientAddress: context.clientAddress,
                requestID: context.requestID,
                timeouts: timeouts
            )
        } catch let error as TransportError {
            self.logger.warning(
                "a service did not answer",
                metadata: [
                    "request_id": "\(context.requestID)", "route": "\(admitted.route.name)", "error": "\(error)",
                ]
            )
            throw Problem(error, from: admitted.route.service)
        }
    }
}

extension Problem {
    /// What a client is told when the owning service did not answer. Which replica, and why, stands in the log.
    init(_ error: TransportError, from service: ServiceName) {
        switch error.kind {
        case .timedOut where !error.surelyNotSent:
            self.init(.timeout, "The \(service.rawValue) service took too long.", retryAfter: 5)
        case .resolve, .connect, .tls, .timedOut, .refusedAddress, .shuttingDown:
            self.init(.unavailable, "The \(service.rawValue) service cannot be reached.", retryAfter: 2)
        case .connectionLost where error.surelyNotSent:
            self.init(.unavailable, "The \(service.rawValue) service cannot be reached.", retryAfter: 2)
        case .connectionLost, .protocolError, .tooLarge, .invalidRequest:
            self.init(.badGateway, "The \(service.rawValue) service did not finish its answer.", retryAfter: 2)
        }
    }
}
