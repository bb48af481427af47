import HTTPTypes
import Models
import ServiceKit
import Testing

@testable import Gateway

/// Walks the whole catalogue: what each route declares is what the gateway asks for.
@Suite struct RoleMatrixTests {
    private func member(_ role: Role) -> Principal {
        Principal(organizationID: OrganizationID(1), subject: .user(UserID(2)), role: role, scopes: nil)
    }

    private func key(_ role: Role, _ scopes: Set<Scope>) -> Principal {
        Principal(organizationID: OrganizationID(1), subject: .key(APIKeyID(3), maker: UserID(2)), role: role, scopes: scopes)
    }

    private func answer(_ route: Route, _ principal: Principal?) -> Problem.Kind? {
        do {
            try route.authorize(principal)
            return nil
        } catch {
            return (error as? Problem)?.kind
        }
    }

    @Test(arguments: RouteCatalogue.all, Role.allCases) func membersNeedTheRole(_ route: Route, _ role: Role) {
        let expected: Problem.Kind? =
            switch route.access {
            case .anyone: nil
            case .member(let least, _), .user(let least): role >= least ? nil : .forbidden
            case .service: .notFound
            }
        #expect(self.answer(route, self.member(role)) == expected, "\(route.name) as \(role)")
    }

    @Test(arguments: RouteCatalogue.all, Role.allCases) func keysNeedRoleAndScope(_ route: Route, _ role: Role) {
        switch route.access {
        case .anyone: #expect(self.answer(route, self.key(role, [])) == nil)
        case .user: #expect(self.answer(route, self.key(role, Set(Scope.allCases))) == .forbidden, "\(route.name)")
        case .service: #expect(self.answer(route, self.key(role, Set(Scope.allCases))) == .notFound)
        case .member(let least, let scope):
            #expect(self.answer(route, self.key(role, [scope])) == (role >= least ? nil : .forbidden), "\(route.name) as \(role)")
            let others = Set(Scope.allCases).subtracting([scope])
            #expect(self.answer(route, self.key(role, others)) == .forbidden, "\(route.name) without \(scope)")
        }
    }

    @Test(arguments: RouteCatalogue.all) func nobodyGetsInUnasked(_ route: Route) {
        let expected: Problem.Kind? =
            switch route.access {
            case .anyone: nil
            case .member, .user: .unauthenticated
            case .service: .notFound
            }
        #expect(self.answer(route, nil) == expected)
    }

    @Test(arguments: RouteCatalogue.all) func internalRoutesAreUnknownOutside(_ route: Route) {
        let path = route.template.replacing("{id}", with: "5")
        let match = ReverseProxy.routes.match(.init(rawValue: route.method.rawValue) ?? .get, path)
        switch (route.access, match) {
        case (.service, .unknown): break
        case (.service, _): Issue.record("\(route.name) can be reached from outside")
        case (_, .found(let found, _)): #expect(found == route)
        default: Issue.record("\(route.name) is not found")
        }
    }
}

@Suite struct NewAPIKeyTests {
    private static let now = Timestamp.parse("2026-11-22T08:00:00Z")

    private func maker(_ role: Role, _ scopes: Set<Scope>? = nil) -> Principal {
        let subject: Principal.Subject = scopes == nil ? .user(UserID(2)) : .key(APIKeyID(3), maker: UserID(2))
        return Principal(organizationID: OrganizationID(1), subject: subject, role: role, scopes: scopes)
    }

    private func faults(_ body: JSONValue, _ maker: Principal) throws -> [String] {
        do {
            _ = try APIKeySettings(body, maker: maker, now: try #require(Self.now))
            return []
        } catch let problem as Problem {
            return problem.errors.map(\.pointer)
        }
    }

    @Test func leastRoleOfTheScopesIsTaken() throws {
        let now = try #require(Self.now)
        let reader = try APIKeySettings(["name": "r", "scopes": ["contacts:read"]], maker: self.maker(.owner), now: now)
        #expect(reader.rights == APIKeyRights(role: .viewer, scopes: [.contactsRead]))
        let writer = try APIKeySettings(["name": "w", "scopes": ["contacts:read", "webhooks:write"]], maker: self.maker(.owner), now: now)
        #expect(writer.rights.role == .admin)
    }

    @Test func nothingAboveTheMakerIsGiven() throws {
        #expect(try self.faults(["name": "k", "scopes": ["contacts:read"], "role": "owner"], self.maker(.admin)) == ["/role"])
        #expect(try self.faults(["name": "k", "scopes": ["campaigns:write"], "role": "viewer"], self.maker(.admin)) == ["/scopes"])
        let key = self.maker(.admin, [.keysWrite, .contactsRead])
        #expect(try self.faults(["name": "k", "scopes": ["campaigns:read"]], key) == ["/scopes"])
        #expect(try self.faults(["name": "k", "scopes": ["contacts:read"]], key).isEmpty)
    }

    @Test func everyFaultIsNamedAtOnce() throws {
        let body: JSONValue = [
            "name": "", "scopes": ["everything"], "role": "king", "rate_limit": 0, "expires_at": "2020-01-01T00:00:00Z",
            "organization_id": 9,
        ]
        let pointers = try self.faults(body, self.maker(.owner))
        #expect(Set(pointers) == ["/name", "/scopes/0", "/role", "/rate_limit", "/expires_at", "/organization_id"])
    }

    @Test func keysOfKeysStayWithinTheirBounds() throws {
        let now = try #require(Self.now)
        let open = try APIKeySettings(["name": "k", "scopes": ["contacts:read"]], maker: self.maker(.owner), now: now)
        let free = APIKeySettings(name: "parent", rights: APIKeyRights(role: .admin, scopes: [.contactsRead, .keysWrite]))
        try open.checkWithin(free, of: "the parent")
        var bound = free
        bound.rights.scopes = [.keysWrite]
        bound.expiresAt = now
        bound.rateLimit = 5
        bound.allowed = [try #require(AddressRange("192.0.2.0/24"))]
        #expect { try open.checkWithin(bound, of: "the parent") } throws: {
            ($0 as? Problem)?.errors.map(\.pointer) == ["/scopes", "/expires_at", "/rate_limit", "/allowed_cidrs"]
        }
        var within = open
        within.rights.scopes = [.keysWrite]
        within.expiresAt = now
        within.rateLimit = 5
        within.allowed = [try #require(AddressRange("192.0.2.7"))]
        try within.checkWithin(bound, of: "the parent")
    }

    @Test func rightsShrinkWithTheMaker() {
        let rights = APIKeyRights(role: .admin, scopes: [.integrationsWrite, .campaignsWrite, .contactsRead])
        #expect(rights.limited(to: .owner) == rights)
        #expect(rights.limited(to: .editor) == APIKeyRights(role: .editor, scopes: [.campaignsWrite, .contactsRead]))
        #expect(rights.limited(to: .viewer) == APIKeyRights(role: .viewer, scopes: [.contactsRead]))
    }
}
