import Hummingbird
import Models
import ServiceKit

/// Authenticates a request and takes its cost from the key's quota. Own routes and proxied ones pass the same guard.
struct RequestGuard: Sendable {
    let authenticator: Authenticator
    let limiter: RateLimiter
    let lastUsed: LastUsed

    /// nil where the request shows no credential. What the limit has to say becomes headers of the answer, also of a refusal.
    func admit(_ request: Request, _ context: BaseContext, _ route: Route) async throws -> Principal? {
        guard let known = try await self.authenticator.identify(request.headers) else { return nil }
        context.note(principal: known.principal)
        try known.admits(address: context.clientAddress)
        guard case .key(let key, _) = known.principal.subject, let quota = known.quota else { return known.principal }
        self.lastUsed.note(key, of: known.principal.organizationID, address: context.clientAddress, agent: request.headers[.userAgent])
        let standing = try await whileDatabaseAnswers {
            try await self.limiter.take(route.cost, from: quota, for: key, of: known.principal.organizationID)
        }
        for (name, value) in RateLimitHeaders.fields(quota, standing) { context.addHeader(name, value) }
        guard standing.isAdmitted else { throw standing.problem(quota) }
        return known.principal
    }
}

extension Route {
    /// Checks what the catalogue asks of a caller from outside.
    /// - Throws: 401 for nobody, 403 for too little, 404 for what is only for other processes.
    func authorize(_ principal: Principal?) throws {
        switch self.access {
        case .anyone: return
        case .service: throw Problem.notFound
        case .member, .user:
            guard let principal else { throw Problem(.unauthenticated, "Send a bearer token or an API key.") }
            try AccessCheck.authorize(principal, for: self.access)
        }
    }
}
