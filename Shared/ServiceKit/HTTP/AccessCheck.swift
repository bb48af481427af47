import HTTPTypes
import Hummingbird
import Logging
package import Models

/// Who may use a route, decided from the route alone before its handler runs.
package struct AccessCheck: Sendable {
    let service: ServiceName
    let identities: IdentityKeys

    /// - Throws: 401 and 403 problems.
    package static func authorize(_ principal: Principal, for access: Route.Access) throws {
        switch access {
        case .anyone: return
        case .member(let role, let scope):
            guard principal.role >= role else { throw Problem(.forbidden, "This needs the role \(role.rawValue).") }
            guard principal.satisfies(role: role, scope: scope) else {
                throw Problem(.forbidden, "This API key lacks the scope \(scope.rawValue).")
            }
        case .user(let role):
            guard case .user = principal.subject else { throw Problem(.forbidden, "API keys may not do this: sign in as a user.") }
            guard principal.role >= role else { throw Problem(.forbidden, "This needs the role \(role.rawValue).") }
        case .service: throw Problem(.forbidden, "This is for other processes of the house.")
        }
    }

    /// The signed identity of a request to this process, its body checked and put back where the signature binds it.
    func identity(of request: inout Request) async throws -> InternalIdentity {
        do {
            let verified = try self.identities.verify(
                request.headers[.switchboardIdentity],
                method: request.method.rawValue,
                path: request.head.path ?? "/"
            )
            if verified.isBodyBound {
                let buffer = try await request.collect(upTo: RequestLimits.internalBody)
                try verified.check(body: Array(buffer.readableBytesView))
                request.body = RequestBody(buffer: buffer)
            }
            return verified.identity
        } catch let error as IdentityError {
            Logger.current.info("Internal identity refused", metadata: ["reason": "\(error)"])
            throw Problem(.unauthenticated, "This address takes requests from other processes of the house only.")
        }
    }

    /// A public route outside the gateway is reached only through the gateway.
    func gatewayIdentity(of request: inout Request) async throws -> InternalIdentity {
        let identity = try await self.identity(of: &request)
        guard identity.caller == .gateway else { throw Problem(.forbidden, "Public routes are reached through the gateway.") }
        return identity
    }

    func peerIdentity(of request: inout Request, allowed: Set<ServiceName>) async throws -> InternalIdentity {
        let identity = try await self.identity(of: &request)
        guard allowed.contains(identity.caller) else {
            throw Problem(.forbidden, "\(identity.caller.rawValue) may not call this route.")
        }
        return identity
    }
}
