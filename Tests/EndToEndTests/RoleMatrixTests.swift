import Foundation
import LocalStack
import Models
import Testing

extension EndToEnd {
    /// Every public route, called by every role on what is its organization's own and on what is another's, at the running gateway.
    @Suite struct Roles {
        @Test func noCellOfTheMatrixIsUnexpected() async throws {
            let table = try await PublicAPI.using(EndToEnd.stack.settings.gatewayURL) { door in
                let cast = try await RoleCast.assemble(door)
                var table = TextTable(["route", "who", "own", "other organization"])
                for route in RouteCatalogue.all where !route.isInternal {
                    try await cast.endReplays()
                    let rows = try await inParallel(cast.actors) { actor in
                        let own = try await cast.answer(of: route, by: actor, on: cast.own)
                        #expect(RoleExpectation.own(route, actor.role).contains(own), "\(route.name) by \(actor.name) on its own: \(own)")
                        var other = "–"
                        if route.template.contains("{id}") {
                            let code = try await cast.answer(of: route, by: actor, on: cast.other)
                            let expected = RoleExpectation.other(route, actor.role)
                            #expect(expected.contains(code), "\(route.name) by \(actor.name) on another's: \(code)")
                            other = String(code)
                        }
                        return [route.name, actor.name, String(own), other]
                    }
                    for row in rows { table.add(row) }
                }
                return table
            }
            print("\nEvery route x role x organization, as the running gateway answered:\n\n\(table)\n")
        }

        @Test func internalRoutesAreNotReachableFromOutside() async throws {
            try await PublicAPI.using(EndToEnd.stack.settings.gatewayURL) { door in
                let organization = try await door.registered(as: "inside\(UUID().uuidString.prefix(8))").organization()
                let actors = try await RoleCast.actors(door, in: organization)
                for route in RouteCatalogue.all where route.isInternal {
                    for actor in actors {
                        let answer = try await door.signed(actor.token).send(route.method, route.template, route.method == .get ? nil : [:])
                        #expect(answer.status == 404, "\(route.name) by \(actor.name)")
                    }
                }
            }
        }
    }
}

extension Route {
    fileprivate var isInternal: Bool {
        if case .service = self.access { true } else { false }
    }
}

/// What the design lets each role do: derived from the catalogue, so that a new route is judged without a new line here.
private enum RoleExpectation {
    static func own(_ route: Route, _ role: Role?) -> Set<Int> {
        switch route.access {
        // With the credentials of nobody, as the matrix calls them.
        case .anyone where route.method == .get: [200]
        case .anyone: [route == .register ? 201 : route == .forgotPassword ? 202 : 401]
        case .service: []
        // Who does not get the notice does not see it.
        case .user where route == .readNotification:
            if let role { RoleCast.noticeKind.audience.contains(role) ? [204] : [404] } else { [401] }
        case .user(let least), .member(let least, _):
            if let role { role >= least ? self.success(route) : [403] } else { [401] }
        }
    }

    static func other(_ route: Route, _ role: Role?) -> Set<Int> {
        switch route.access {
        case .anyone, .service: []
        case .user(let least), .member(let least, _):
            // Unsubscribing answers 204 for what is not there, as REST hooks ask; it must look the same for another's.
            if let role { role >= least ? [route == .deleteSubscription ? 204 : 404] : [403] } else { [401] }
        }
    }

    /// Moves that the state of a draft does not allow answer 409: the role was let through.
    private static func success(_ route: Route) -> Set<Int> {
        switch route {
        case .pauseCampaign, .resumeCampaign, .cancelCampaign, .startSync: [200, 202, 409]
        // A code that nobody can know beforehand: past the role, refused by the body.
        case .confirmTOTP: [422]
        case .publicUser: [200]
        default: [200, 201, 202, 204]
        }
    }
}

/// Two organizations with something of everything, and one caller of each role in the first.
struct RoleCast: Sendable {
    struct Actor: Sendable {
        var name: String
        var role: Role?
        var token: Secret?
        var email = ""
        var id: Int64 = 0
    }

    /// An organization and its owner.
    struct Home: Sendable {
        var owner: PublicAPI
        var organization: Int64
        var contact: Int64
        var delivery: Int64
        var subscription: Int64
        var event: String
        var mailIntegration: Int64
    }

    let door: PublicAPI
    let own: Home
    let other: Home
    let actors: [Actor]

    /// They end or move the session that calls, or the membership: each call is made by somebody made for the purpose.
    private static let ending: Set<Route> = [
        .logout, .logoutEverywhere, .changePassword, .switchOrganization, .leaveOrganization, .endSession,
    ]

    static func assemble(_ door: PublicAPI) async throws -> RoleCast {
        let tag = UUID().uuidString.prefix(8).lowercased()
        let homes = try await inParallel(["own\(tag)", "other\(tag)"]) { try await self.home(door, $0) }
        return RoleCast(door: door, own: homes[0], other: homes[1], actors: try await self.actors(door, in: homes[0].organization))
    }

    /// Nobody, and one caller of each role.
    static func actors(_ door: PublicAPI, in organization: Int64) async throws -> [Actor] {
        try await [Actor(name: "nobody", role: nil, token: nil)]
            + inParallel(Role.allCases) { try await self.actor(door, $0, in: organization) }
    }

    /// Somebody new of that role.
    private static func actor(_ door: PublicAPI, _ role: Role, in organization: Int64) async throws -> Actor {
        let (id, email) = try await self.member(door, role, in: organization)
        return Actor(name: role.rawValue, role: role, token: try await self.token(door, email), email: email, id: id)
    }

    /// Moved in by the administrator: an invitation would have to be read from the mail.
    private static func member(_ door: PublicAPI, _ role: Role, in organization: Int64) async throws -> (id: Int64, email: String) {
        let tag = UUID().uuidString.prefix(8).lowercased()
        let email = "\(role.rawValue)-\(tag)@roles.example"
        let user = try await door.send(
            .post,
            "/api/v1/auth/register",
            ["email": .string(email), "password": "correct horse battery", "name": "R", "organization_name": .string("\(role) \(tag)")],
            headers: self.elsewhere
        )
        let id = try #require(user.body["user"]?["id"]?.integerValue, "registration answered \(user.status)")
        try await EndToEnd.stack.postgres.psql(
            nil,
            [
                "-c",
                """
                DELETE FROM gateway.sessions WHERE user_id = \(id);
                UPDATE gateway.memberships SET organization_id = \(organization), role = '\(role.rawValue)' WHERE user_id = \(id);
                """,
            ]
        )
        return (id, email)
    }

    private static func token(_ door: PublicAPI, _ email: String) async throws -> Secret {
        let login: JSONValue = ["email": .string(email), "password": "correct horse battery"]
        let answer = try await door.send(.post, "/api/v1/auth/login", login, headers: self.elsewhere)
        return Secret(try #require(answer.body["access_token"]?.stringValue, "login answered \(answer.status)"))
    }

    /// From an address of its own: how many accounts one address may make in an hour is not what is shown here.
    private static var elsewhere: [String: String] {
        ["X-Forwarded-For": "10.250.\(Int.random(in: 0...255)).\(Int.random(in: 1...254))"]
    }

    /// A whole demo job leaves contacts, messages and deliveries behind.
    private static func home(_ door: PublicAPI, _ name: String) async throws -> Home {
        let (credentials, _) = try await DemoJob(stack: EndToEnd.stack, name: name)
            .run(email: "\(name)@roles.example", password: "correct horse battery")
        let owner = door.signed(Secret(credentials.accessToken))
        return Home(
            owner: owner,
            organization: try await owner.organization(),
            contact: try await owner.firstID("/api/v1/contacts"),
            delivery: try await owner.firstID("/api/v1/webhooks/deliveries", "state=succeeded&"),
            subscription: try await owner.firstID("/api/v1/zapier/webhooks"),
            event: try await owner.firstEvent(),
            mailIntegration: try await owner.firstID("/api/v1/integrations", "provider=smtp&")
        )
    }

    /// The status that the route answers to this caller, with a valid body and, where it takes an id, a fresh thing of that home.
    func answer(of route: Route, by actor: Actor, on home: Home) async throws -> Int {
        var actor = actor
        if let role = actor.role, Self.ending.contains(route) { actor = try await Self.actor(self.door, role, in: self.own.organization) }
        var path = route.template
        if path.contains("{id}") { path = path.replacing("{id}", with: try await self.target(of: route, in: home, by: actor)) }
        path = path.replacing("{file}", with: "page.css").replacing("{kind}", with: "not-found")
            .replacing("{event}", with: "content_posted").replacing("{organization_id}", with: String(home.organization))
            .replacing("{event_id}", with: home.event)
        return try await self.door.signed(actor.token)
            .send(route.method, path, self.body(of: route, in: self.own), headers: Self.elsewhere).status
    }

    /// Those that a route's callers were given would leave no room for the next route's.
    func endReplays() async throws {
        let ending = "UPDATE webhooks.replays SET state = 'cancelled', finished_at = now() WHERE state IN ('running', 'paused')"
        try await EndToEnd.stack.postgres.psql(nil, ["-c", ending])
    }

    /// Of the notice that the matrix reads.
    static let noticeKind = NoticeKind.campaignFailed

    func target(of route: Route, in home: Home, by actor: Actor) async throws -> String {
        if route == .readNotification { return try await self.notice(in: home) }
        return String(try await self.number(of: route, in: home, by: actor))
    }

    /// Put there by the administrator: no request of a member makes one.
    private func notice(in home: Home) async throws -> String {
        let id = "ntc_" + UUID().uuidString.lowercased().replacing("-", with: "")
        try await EndToEnd.stack.postgres.psql(
            nil,
            [
                "-c",
                """
                INSERT INTO gateway.notices (
                    organization_id, id, kind, service, subject_type, subject_id, subject_name, title, detail, key, first_at, last_at, is_mailed
                )
                VALUES (
                    \(home.organization), '\(id)', '\(Self.noticeKind.rawValue)', 'campaigns', 'campaign', '1', 'M', 'T', 'D', 'campaign:1',
                    now(), now(), false
                )
                """,
            ]
        )
        return id
    }

    private func number(of route: Route, in home: Home, by actor: Actor) async throws -> Int64 {
        let owner = home.owner
        switch route.template {
        case let path where path.hasPrefix("/api/v1/auth/sessions"):
            let isOwn = home.organization == self.own.organization && actor.role != nil
            return try await (isOwn ? self.door.signed(actor.token) : owner).firstID("/api/v1/auth/sessions")
        case let path where path.hasPrefix("/api/v1/members"):
            return try await Self.member(self.door, .viewer, in: home.organization).id
        case let path where path.hasPrefix("/api/v1/invitations"):
            return try await owner.makeID("/api/v1/invitations", self.body(of: .createInvitation, in: home))
        case let path where path.hasPrefix("/api/v1/api/keys"):
            return try await owner.makeID("/api/v1/api/keys", self.body(of: .createKey, in: home))
        case let path where path.hasPrefix("/api/v1/integrations"):
            return try await owner.makeID("/api/v1/integrations", self.body(of: .createIntegration, in: home))
        case let path where path.hasPrefix("/api/v1/campaigns"):
            return try await owner.makeID("/api/v1/campaigns", self.body(of: .createCampaign, in: home))
        case let path where path.hasPrefix("/api/v1/zapier/webhooks"):
            return try await owner.makeID("/api/v1/zapier/webhooks", self.body(of: .createSubscription, in: home))
        case let path where path.hasPrefix("/api/v1/contacts"): return home.contact
        case let path where path.hasPrefix("/api/v1/webhooks/deliveries"): return home.delivery
        case let path where path.hasPrefix("/api/v1/webhooks/replays"):
            return try await owner.makeID("/api/v1/webhooks/replays", self.body(of: .createReplay, in: home))
        default: throw Unprepared(description: "no example of what \(route.name) takes")
        }
    }

    private struct Unprepared: Error, CustomStringConvertible { var description: String }

    func body(of route: Route, in home: Home) -> JSONValue? {
        let unique = UUID().uuidString.lowercased()
        return switch route {
        case .register:
            ["email": .string("\(unique)@roles.example"), "password": "correct horse battery", "name": "N", "organization_name": "O"]
        case .login: ["email": "nobody@roles.example", "password": "correct horse battery"]
        case .refreshSession: ["refresh_token": "srt_unknown"]
        case .forgotPassword: ["email": "nobody@roles.example"]
        case .resetPassword: ["token": "srs_unknown", "password": "correct horse battery"]
        case .verifyEmail: ["token": "svt_unknown"]
        case .acceptInvitation: ["token": "sit_unknown"]
        case .changePassword: ["current_password": "correct horse battery", "new_password": "another horse battery"]
        case .beginTOTP, .disableTOTP: ["password": "correct horse battery"]
        case .confirmTOTP: ["code": "000000"]
        case .switchOrganization: ["organization_id": .integer(home.organization)]
        case .createOrganization, .renameOrganization: ["name": .string(unique)]
        case .changeMember: ["role": "editor"]
        case .createInvitation: ["email": .string("\(unique)@roles.example"), "role": "viewer"]
        case .triggerEvent: ["content_id": 7, "platform": "linkedin"]
        case .createKey: ["name": "matrix", "scopes": ["contacts:read"]]
        case .createIntegration:
            [
                "provider": "smtp", "name": .string(unique),
                "config": ["host": "127.0.0.1", "port": .integer(Int64(EndToEnd.stack.settings.sinkPort)), "security": "none"],
            ]
        case .updateIntegration, .updateCampaign, .updateKey: ["name": .string(unique)]
        case .createCampaign:
            [
                "name": "Matrix", "channel": "email", "integration_id": .integer(home.mailIntegration), "from_email": "a@demo.example",
                "audience": ["all": true],
                "subject": "S", "text": "T",
            ]
        case .scheduleCampaign: ["scheduled_at": "2099-01-01T00:00:00Z"]
        case .createSubscription:
            ["webhook_url": .string("\(EndToEnd.stack.settings.sandboxURL)/_sandbox/receiver/matrix"), "trigger_event": "campaign_sent"]
        case .updateSubscription: ["description": .string(unique)]
        case .previewTemplate: ["event": "content_posted", "payload_template": ["text": "{{platform}}"]]
        // An event a second: it does not end before it is paused, resumed or cancelled.
        case .createReplay:
            ["subscription_id": .integer(home.subscription), "from": "2026-01-01T00:00:00Z", "rate": 1, "which": "all"]
        case .changeNotificationSettings: ["kinds": [:]]
        default: route.method == .post ? [:] : nil
        }
    }
}

extension PublicAPI {
    /// The caller's.
    fileprivate func organization() async throws -> Int64 {
        try #require(try await self.call(.get, "/api/v1/auth/me")["organization"]?["id"]?.integerValue)
    }

    fileprivate func firstID(_ path: String, _ filter: String = "") async throws -> Int64 {
        try #require(try await self.call(.get, "\(path)?\(filter)limit=1")["data"]?.arrayValue?.first?["id"]?.integerValue)
    }

    fileprivate func firstEvent() async throws -> String {
        try #require(try await self.call(.get, "/api/v1/admin/webhooks/event-logs?limit=1")["data"]?.arrayValue?.first?["id"]?.stringValue)
    }

    fileprivate func makeID(_ path: String, _ body: JSONValue?) async throws -> Int64 {
        try #require(try await self.call(.post, path, body)["id"]?.integerValue)
    }
}
