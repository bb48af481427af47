import HTTPTypes
import Hummingbird
import Models
import NIOHTTP1
import ServiceKit

/// Authenticates a request and takes its cost from its limits. Own routes and proxied ones pass the same guard.
struct RequestGuard: Sendable {
    let authenticator: Authenticator
    let limiter: RateLimiter
    let limits: LimitSettings
    let lastUsed: LastUsed

    /// nil where the request shows no credential. What the limits have to say becomes headers of the answer, also of a refusal.
    /// - Throws: 401, 403, 429, 503 problems.
    func admit(_ request: Request, _ context: BaseContext, _ route: Route) async throws -> Principal? {
        guard let known = try await self.identify(request, context) else {
            if route.access == .anyone { try await self.admitStranger(context, route) }
            return nil
        }
        context.note(principal: known.principal)
        try known.admits(address: context.clientAddress)
        self.noteKey(of: known, address: context.clientAddress, agent: request.headers[.userAgent])
        try await self.charge(route.cost, known.limits, context)
        return known.principal
    }

    /// As ``admit(_:_:_:)`` and the route's own authorization, where nothing has to be asked or waited for and nothing speaks against it: the
    /// credential is remembered, the units are at hand. Nothing is taken elsewhere.
    /// - mayGoOn: asked last before units are taken.
    /// - Returns: who asks, and what the limits have to say.
    func admitAtOnce(
        _ headers: HTTPHeaders,
        from address: String?,
        _ route: Route,
        mayGoOn: (Principal) -> Bool
    ) -> (principal: Principal, headers: [(HTTPField.Name, String)])? {
        guard let known = self.authenticator.remembered(headers), (try? known.admits(address: address)) != nil,
            (try? route.authorize(known.principal)) != nil, mayGoOn(known.principal),
            let verdict = self.limiter.takeAtOnce(route.cost, from: known.limits)
        else { return nil }
        self.authenticator.noteUse(of: known)
        self.noteKey(of: known, address: address, agent: headers.combined("user-agent"))
        return (known.principal, RateLimitHeaders.fields(verdict.standings))
    }

    private func noteKey(of known: KnownCredential, address: String?, agent: String?) {
        guard case .key(let key, _) = known.principal.subject else { return }
        self.lastUsed.note(key, of: known.principal.organizationID, address: address, agent: agent)
    }

    /// For routes that are open to anyone: the address pays.
    func admitStranger(_ context: BaseContext, _ route: Route) async throws {
        guard let address = context.clientAddress else { return }
        try await self.charge(route.cost, self.limits.limits(ofAddress: address), context)
    }

    /// A credential that is none costs its address a unit: guessing ends in 429. Who shows a valid one from there is let in all the same.
    private func identify(_ request: Request, _ context: BaseContext) async throws -> KnownCredential? {
        do {
            return try await self.authenticator.identify(request.headers)
        } catch let refused as Problem where refused == Credential.refused {
            guard let address = context.clientAddress else { throw refused }
            try await self.charge(1, self.limits.limits(ofAddress: address), context)
            throw refused
        }
    }

    private func charge(_ cost: Int, _ limits: [Limit], _ context: BaseContext) async throws {
        let verdict = try await self.limiter.take(cost, from: limits)
        for (name, value) in RateLimitHeaders.fields(verdict.standings) { context.addHeader(name, value) }
        try verdict.check()
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
