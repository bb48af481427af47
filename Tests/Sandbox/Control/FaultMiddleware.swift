import HTTPTypes
import Hummingbird
import NIOCore
import ServiceLifecycle

/// Counts every request to a stand-in, and lets faults befall it.
struct FaultMiddleware: RouterMiddleware {
    let faults: FaultBook
    let tally: RequestTally
    let hubSpot: HubSpot

    func handle(
        _ request: Request,
        context: SandboxContext,
        next: (Request, SandboxContext) async throws -> Response
    ) async throws -> Response {
        guard let provider = Provider(request) else { return try await next(request, context) }
        let fault = self.faults.strike(provider: provider, method: request.method.rawValue, path: request.uri.path)
        var status = 0
        defer {
            // Counted by template, or a million contacts would be a million routes; 0 is no answer at all.
            let path = context.endpointPath ?? request.uri.path
            self.tally.count(provider: provider, route: "\(request.method.rawValue) \(path)", status: status)
        }
        let response = try await self.respond(provider, fault, request, context, next)
        status = response.status.code
        return response
    }

    private func respond(
        _ provider: Provider,
        _ fault: Fault?,
        _ request: Request,
        _ context: SandboxContext,
        _ next: (Request, SandboxContext) async throws -> Response
    ) async throws -> Response {
        guard let fault else { return try await next(request, context) }
        if fault.kind == .latency {
            try await self.pause(fault.latency)
            return try await next(request, context)
        }
        if fault.isAfterwards { _ = try await next(request, context) }
        switch fault.kind {
        case .hang:
            try await self.pause(fault.hang)
            return try await self.cut(context)
        case .cut: return try await self.cut(context)
        case .rateLimited, .serverError, .expiredToken, .status, .latency:
            let response = self.answer(provider, fault)
            return fault.retryAfter.map { response.adding([("Retry-After", String($0))]) } ?? response
        }
    }

    private func answer(_ provider: Provider, _ fault: Fault) -> Response {
        let status =
            switch fault.kind {
            case .rateLimited: 429
            case .expiredToken: 401
            case .serverError: 500
            default: fault.status
            }
        guard fault.kind != .status else { return Response(status: HTTPResponse.Status(code: status)) }
        return switch provider {
        case .hubSpot: self.hubSpot.fault(status)
        case .sendGrid: SendGridError.answer(toFault: status)
        case .receiver: Response(status: HTTPResponse.Status(code: status))
        }
    }

    /// A stopping sandbox hangs no longer.
    private func pause(_ duration: Duration) async throws {
        try await cancelWhenGracefulShutdown { try await Task.sleep(for: duration) }
    }

    private func cut(_ context: SandboxContext) async throws -> Response {
        try await context.channel.close(mode: .all).get()
        throw CancellationError()
    }
}
