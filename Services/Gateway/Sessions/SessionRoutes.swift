import Database
import HTTPTypes
import Hummingbird
import Models
import ServiceKit

struct SessionRoutes: Sendable {
    let database: Postgres
    let sessions: SessionStore
    let trail: UserTrail

    func mount(on table: RouteTable) {
        table.mountOpen(.refreshSession, self.refresh)
        table.mount(.logout, self.logout)
        table.mount(.logoutEverywhere, self.logoutEverywhere)
        table.mount(.listSessions, self.list)
        table.mount(.endSession, self.end)
        table.mount(.switchOrganization, self.switchOrganization)
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

    /// This session, too.
    private func logoutEverywhere(_ request: Request, _ context: CallerContext) async throws -> Response {
        let user = context.principal.userID
        let origin = AuditOrigin(context)
        try await self.database.transaction { transaction in
            try self.sessions.endAll(of: user, but: nil, transaction)
            try self.trail.record("user.sessions_closed", of: user, by: origin, transaction)
        }
        return .noContent
    }

    private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page()
        let own = try await self.sessions.current(request, context)
        let sessions = try await self.sessions.list(of: context.principal.userID, page)
        let items = sessions.map { SessionResponse(session: $0, isCurrent: $0.key == own) }
        return try .json(Page(fetched: items, request: page, id: { $0.session.key.session.rawValue }))
    }

    private func end(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: SessionID = try context.id()
        let user = context.principal.userID
        let origin = AuditOrigin(context)
        try await self.database.transaction { transaction in
            guard try self.sessions.end(id, of: user, origin, transaction) else { throw Problem.notFound }
        }
        return .noContent
    }

    /// A session in another organization of the user's takes the place of this one: signing out then ends all that this device holds.
    private func switchOrganization(_ request: Request, _ context: CallerContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let organization = OrganizationID(reader.integer("organization_id", 1...Int64.max))
        try reader.finish()
        let user = context.principal.userID
        let own = try await self.sessions.current(request, context)
        let visitor = Visitor(request, context)
        let tokens = try SessionTokens()
        let signedIn: SignedIn = try await self.database.transaction { transaction in
            guard let account = try self.sessions.accounts.find(user, in: organization, transaction) else { throw Problem.notFound }
            guard try self.sessions.end(own.session, of: user, visitor.origin(user), transaction) else { throw Credential.refused }
            return try self.sessions.open(tokens, for: account, visitor, transaction)
        }
        return try .json(signedIn)
    }

    /// The same whether the token is unknown, too old, or was used before.
    private static let refused = Problem(.unauthenticated, "The refresh token is not valid. Sign in again.")
}
