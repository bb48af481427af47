import Foundation
import LocalStack
import Models
import Testing

extension EndToEnd {
    /// What the API document says that a body may hold, and what an attacker would put there: over every route of all services, through the gateway.
    @Suite struct BodyAttacks {
        /// What has ended in SQL elsewhere: as text, as a number's place, as LIKE patterns, and what encodings make of it.
        private static let strings = [
            "' OR '1'='1", "1); UPDATE gateway.organizations SET tier = 'premium'; DROP TABLE gateway.users; --", "' || pg_sleep(20) || '",
            "$$; SELECT pg_sleep(20); $$", "%' ESCAPE '_ \\'; SELECT 1; --", "a\u{0}b",
        ]

        /// Fields that only the house sets.
        private static let assigned: [String: JSONValue] = [
            "role": "owner", "organization_id": 1, "tier": "premium", "id": 1, "created_by": 1, "password_hash": "x", "user_id": 1,
        ]

        private struct Operation: Sendable {
            var route: Route
            var bodies: [JSONValue]
            /// Fields that the document knows.
            var fields: Set<String>
        }

        @Test func noStringOfABodyReachesSQL() async throws {
            try await PublicAPI.using(EndToEnd.stack.settings.gatewayURL) { door in
                let cast = try await RoleCast.assemble(door)
                let owner = try #require(cast.actors.first { $0.role == .owner })
                let before = try await self.fingerprint(cast.other.organization)
                let attacks = try await self.bodyAttacks(door, cast, owner) + self.queryAttacks(cast, owner)
                _ = try await inParallel(Array(attacks.enumerated())) { number, attack in
                    let start = ContinuousClock.now
                    let answer = try await self.send(door.signed(owner.token), attack.route, attack.target, attack.body, number)
                    #expect(answer.status < 500, "\(attack.what): \(answer.status) \(answer.body.text.prefix(200))")
                    #expect(ContinuousClock.now - start < .seconds(15), "\(attack.what) slept")
                }
                print("\(attacks.count) bodies, queries and paths with SQL in them")
                #expect(attacks.count > 500)
                #expect(try await self.fingerprint(cast.other.organization) == before)
            }
        }

        private struct Attack: Sendable {
            var route: Route
            var target: String
            var body: JSONValue?
            var what: String
        }

        private func bodyAttacks(_ door: PublicAPI, _ cast: RoleCast, _ owner: RoleCast.Actor) async throws -> [Attack] {
            var attacks: [Attack] = []
            for operation in try await self.operations(door, cast) {
                let path = try await self.path(of: operation.route, cast, owner)
                for body in operation.bodies {
                    for place in JSONPlace.strings(in: body) {
                        for text in Self.strings {
                            let attack = place.replacing(in: body, with: .string(text))
                            let what = "\(operation.route.name) \(place.pointer) = \(text)"
                            attacks.append(Attack(route: operation.route, target: path, body: attack, what: what))
                        }
                    }
                }
            }
            return attacks
        }

        /// Queries and paths take strings, too.
        private func queryAttacks(_ cast: RoleCast, _ owner: RoleCast.Actor) async throws -> [Attack] {
            var attacks: [Attack] = []
            for route in RouteCatalogue.all where route.method == .get && route.template.hasPrefix("/api/") {
                let path = try await self.path(of: route, cast, owner)
                for text in Self.strings {
                    let escaped = text.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
                    let queries = [
                        "cursor", "limit", "provider", "status", "action", "from", "granularity", "search", "q", "email", "after", "type",
                    ]
                    let query = queries.map { "\($0)=\(escaped)" }.joined(separator: "&")
                    let named = route.template.replacing("{id}", with: escaped).replacing("{event}", with: escaped)
                        .replacing("{organization_id}", with: escaped).replacing("{event_id}", with: escaped)
                    for target in ["\(path)?\(query)", "\(path)?cursor=\(escaped)", named] {
                        attacks.append(Attack(route: route, target: target, body: nil, what: "GET \(target)"))
                    }
                }
            }
            return attacks
        }

        @Test func fieldsThatTheHouseSetsAreRefusedByName() async throws {
            try await PublicAPI.using(EndToEnd.stack.settings.gatewayURL) { door in
                let cast = try await RoleCast.assemble(door)
                let owner = try #require(cast.actors.first { $0.role == .owner })
                let organizations = [cast.own.organization, cast.other.organization]
                var before: [String] = []
                // The data of an event may have any members: they are the client's own.
                for operation in try await self.operations(door, cast) where operation.route != .triggerEvent {
                    let path = try await self.path(of: operation.route, cast, owner)
                    // After the target was made, so that only the attack could change something.
                    before = []
                    for organization in organizations { before.append(try await self.fingerprint(organization)) }
                    let extra = Self.assigned.filter { !operation.fields.contains($0.key) }
                    for body in operation.bodies.prefix(1) {
                        let attack = JSONValue.object((body.objectValue ?? [:]).merging(extra) { $1 })
                        let answer = try await self.send(door.signed(owner.token), operation.route, path, attack, 0)
                        #expect(answer.status == 422, "\(operation.route.name): \(answer.status) \(answer.body.text.prefix(300))")
                        let named = Set((answer.body["errors"]?.arrayValue ?? []).compactMap { $0["pointer"]?.stringValue })
                        #expect(named.isSuperset(of: extra.keys.map { "/\($0)" }), "\(operation.route.name) names \(named.sorted())")
                    }
                    var after: [String] = []
                    for organization in organizations { after.append(try await self.fingerprint(organization)) }
                    #expect(after == before, "\(operation.route.name) changed something")
                }
            }
        }

        // MARK: - Parts

        /// Every operation of the document that takes a body.
        private func operations(_ door: PublicAPI, _ cast: RoleCast) async throws -> [Operation] {
            let document = try await door.call(.get, "/api/v1/openapi.json")
            var operations: [Operation] = []
            for route in RouteCatalogue.all {
                let entry = document["paths"]?[route.template]?[route.method.rawValue.lowercased()]
                guard let media = entry?["requestBody"]?["content"]?["application/json"] else { continue }
                var bodies = [cast.body(of: route, in: cast.own) ?? .null].filter { $0.objectValue?.isEmpty == false }
                if let example = media["example"] { bodies.append(example) }
                for name in media["examples"]?.objectValue?.keys.sorted() ?? [] {
                    if let value = media["examples"]?[name]?["value"] { bodies.append(value) }
                }
                #expect(!bodies.isEmpty, "\(route.name) has no example")
                operations.append(Operation(route: route, bodies: bodies, fields: self.fields(of: media["schema"] ?? .null, document)))
            }
            #expect(operations.count >= 10, "every operation that the document describes with a body")
            return operations
        }

        private func fields(of schema: JSONValue, _ document: JSONValue) -> Set<String> {
            if let name = schema["$ref"]?.stringValue?.split(separator: "/").last.map(String.init) {
                return self.fields(of: document["components"]?["schemas"]?[name] ?? .null, document)
            }
            var fields = Set(schema["properties"]?.objectValue?.keys.sorted() ?? [])
            for kind in ["allOf", "oneOf", "anyOf"] {
                for part in schema[kind]?.arrayValue ?? [] { fields.formUnion(self.fields(of: part, document)) }
            }
            return fields
        }

        private func path(of route: Route, _ cast: RoleCast, _ owner: RoleCast.Actor) async throws -> String {
            let template = route.template.replacing("{event}", with: "content_posted")
                .replacing("{organization_id}", with: String(cast.own.organization)).replacing("{event_id}", with: cast.own.event)
            guard template.contains("{id}") else { return template }
            return template.replacing("{id}", with: try await cast.target(of: route, in: cast.own, by: owner))
        }

        /// From an address of its own: what one address may do would end the attack early.
        private func send(_ door: PublicAPI, _ route: Route, _ path: String, _ body: JSONValue?, _ number: Int) async throws
            -> PublicAPI.Answer
        {
            try await door.send(
                route.method,
                path,
                body,
                headers: ["X-Forwarded-For": "10.\(number / 62_500 % 250).\(number / 250 % 250).\(number % 250 + 1)"]
            )
        }

        /// What an organization has, in words that change when any of it does.
        private func fingerprint(_ organization: Int64) async throws -> String {
            let counted = [
                "gateway.api_keys", "gateway.invitations", "integrations.integrations", "integrations.credentials", "campaigns.contacts",
                "campaigns.campaigns", "campaigns.messages", "webhooks.zapier_webhooks",
            ]
            var parts = counted.map { "(SELECT count(*) FROM \($0) WHERE organization_id = \(organization))::text" }
            parts.append("(SELECT name || tier FROM gateway.organizations WHERE id = \(organization))")
            parts.append(
                "(SELECT string_agg(user_id || role, ',' ORDER BY user_id) FROM gateway.memberships WHERE organization_id = \(organization))"
            )
            return try await EndToEnd.stack.postgres.psql(nil, ["-tAc", "SELECT concat_ws(' ', \(parts.joined(separator: ", ")))"])
        }
    }
}

/// A place in a JSON value.
private struct JSONPlace {
    private enum Step {
        case member(String)
        case item(Int)
    }

    private var steps: [Step] = []

    var pointer: String {
        self.steps.map { step in
            switch step {
            case .member(let name): "/\(name)"
            case .item(let index): "/\(index)"
            }
        }.joined()
    }

    static func strings(in value: JSONValue) -> [JSONPlace] {
        switch value {
        case .string: [JSONPlace()]
        case .object(let members): members.keys.sorted().flatMap { name in Self.below(.member(name), members[name] ?? .null) }
        case .array(let items): items.indices.flatMap { Self.below(.item($0), items[$0]) }
        case .null, .bool, .integer, .double: []
        }
    }

    private static func below(_ step: Step, _ value: JSONValue) -> [JSONPlace] {
        self.strings(in: value).map { JSONPlace(steps: [step] + $0.steps) }
    }

    func replacing(in value: JSONValue, with new: JSONValue) -> JSONValue {
        guard let step = self.steps.first else { return new }
        let rest = JSONPlace(steps: Array(self.steps.dropFirst()))
        switch (step, value) {
        case (.member(let name), .object(var members)):
            members[name] = rest.replacing(in: members[name] ?? .null, with: new)
            return .object(members)
        case (.item(let index), .array(var items)):
            items[index] = rest.replacing(in: items[index], with: new)
            return .array(items)
        default: return value
        }
    }
}
