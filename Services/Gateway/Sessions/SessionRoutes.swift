import HTTPTypes
import Hummingbird
import Models
import ServiceKit

struct SessionRoutes: Sendable {
    let sessions: SessionStore
    let security: SecurityHeaders

    func mount(on table: RouteTable) {
        table.mountOpen(.refreshSession, self.security.added(to: self.refresh))
        table.mount(.logout, self.logout)
    }

    private func refresh(_ request: Request, _ context: BaseContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let token = reader.secret("refresh_token", 1...200)
        try reader.finish()
        guard TokenFormat.kind(of: token.reveal()) == .refresh else { throw Self.refused }
        switch try await self.sessions.refresh(try TokenDigest(token.reveal()), Visitor(request, context)) {
        case .signedIn(let signedIn): return try .json(signedIn)
        case .reused, .refused: throw Self.refused
        }
    }

    private func logout(_ request: Request, _ context: CallerContext) async throws -> Response {
        guard case .token(let token) = try Credential.read(request.headers) else { throw Credential.refused }
        try await self.sessions.end(by: try TokenDigest(token), in: context.organizationID, AuditOrigin(context))
        return .noContent
    }

    /// The same whether the token is unknown, too old, or was used before.
    private static let refused = Problem(.unauthenticated, "The refresh token is not valid. Sign in again.")
}
