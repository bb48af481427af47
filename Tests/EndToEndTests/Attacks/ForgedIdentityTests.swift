import Encryption
import Foundation
import LocalStack
import Models
import ServiceKit
import Testing

extension EndToEnd {
    /// Somebody who reaches the ports of the services past the gateway.
    @Suite struct ForgedIdentities {
        /// What is asked for: as a member, and as another process.
        private struct Target {
            var service: ServiceName
            var route: Route
            var path: String { self.route.template.replacing("{id}", with: "1") }
        }

        /// Of each service its public and its internal routes; of the gateway, whose public routes know no identity, the internal ones.
        private static let targets: [Target] = RouteCatalogue.all.compactMap { route in
            switch route.access {
            case .service: Target(service: route.service, route: route)
            case .anyone, .member, .user: route.service == .gateway ? nil : Target(service: route.service, route: route)
            }
        }

        private func claims(_ caller: ServiceName, _ callee: ServiceName, expires: Int64 = 30) -> InternalIdentity {
            InternalIdentity(
                caller: caller,
                callee: callee,
                principal: Principal(organizationID: OrganizationID(1), subject: .user(UserID(1)), role: .owner, scopes: nil),
                requestID: "forged",
                expires: Int64(Date().timeIntervalSince1970) + expires
            )
        }

        private func sign(
            _ identity: InternalIdentity,
            _ key: Secret,
            _ target: Target,
            _ body: [UInt8],
            method: String? = nil,
            path: String? = nil
        ) throws -> String {
            let keys = try IdentityKeys(service: identity.caller, keys: [identity.callee: [key]])
            let request = SignedRequest(method: method ?? target.route.method.rawValue, path: path ?? target.path, body: .bytes(body))
            return try keys.sign(identity, for: request)
        }

        /// Everything but the right header.
        private func forgeries(
            _ target: Target,
            _ body: [UInt8],
            _ caller: ServiceName,
            _ key: Secret,
            _ other: (ServiceName, Secret)
        ) throws -> [(name: String, header: String?)] {
            let callee = target.service
            let good = try self.sign(self.claims(caller, callee), key, target, body)
            let parts = good.split(separator: ".").map(String.init)
            let wrongKey = Secret(String(repeating: "w", count: 43))
            return [
                ("missing", nil), ("empty", ""), ("a word", "owner"), ("unsigned", "v1.\(parts[1])."),
                ("without the last part", "v1.\(parts[1])"),
                ("another version", "v2.\(parts[1]).\(parts[2])"), ("algorithm none", "none.\(parts[1])."),
                ("no version", "\(parts[1]).\(parts[2])"), ("zeros for a signature", "v1.\(parts[1]).\(String(repeating: "A", count: 43))"),
                ("a token without algorithm", "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.\(parts[1])."),
                ("a token of another algorithm", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.\(parts[1]).\(parts[2])"),
                ("claims and signature exchanged", "v1.\(parts[2]).\(parts[1])"),
                ("a wrong key", try self.sign(self.claims(caller, callee), wrongKey, target, body)),
                ("for another callee", try self.sign(self.claims(caller, other.0), other.1, target, body)),
                ("for another callee with this one's key", try self.sign(self.claims(caller, other.0), key, target, body)),
                ("expired", try self.sign(self.claims(caller, callee, expires: -60), key, target, body)),
                ("far ahead", try self.sign(self.claims(caller, callee, expires: 3_600), key, target, body)),
                ("of another method", try self.sign(self.claims(caller, callee), key, target, body, method: "TRACE")),
                ("of another path", try self.sign(self.claims(caller, callee), key, target, body, path: "/healthz")),
                ("with another query", try self.sign(self.claims(caller, callee), key, target, body, path: target.path + "?a=b")),
                ("of another body", try self.sign(self.claims(caller, callee), key, target, body + [0x20])),
            ]
        }

        @Test func noPortTakesAForgedIdentity() async throws {
            for service in ServiceName.allCases {
                try await PublicAPI.using(EndToEnd.stack.settings.url(service)) { door in
                    for target in Self.targets where target.service == service {
                        let caller = self.caller(of: target)
                        let key = try #require(await EndToEnd.stack.internalKey(of: service, with: caller))
                        let other = try #require(ServiceName.allCases.first { $0 != service && $0 != caller })
                        let otherKey = try #require(await EndToEnd.stack.internalKey(of: caller, with: other))
                        let json: JSONValue? = target.route.method == .get || target.route.method == .delete ? nil : [:]
                        for (name, header) in try self.forgeries(target, json?.serialized() ?? [], caller, key, (other, otherKey)) {
                            let headers = header.map { ["Switchboard-Identity": $0] } ?? [:]
                            let answer = try await door.send(target.route.method, target.path, json, headers: headers)
                            #expect([401, 404].contains(answer.status), "\(service) \(target.route.name), \(name): \(answer.status)")
                        }
                        let right = try self.sign(self.claims(caller, service), key, target, json?.serialized() ?? [])
                        let answer = try await door.send(target.route.method, target.path, json, headers: ["Switchboard-Identity": right])
                        #expect(answer.status != 401, "the right identity is taken at \(target.route.name)")
                    }
                }
            }
        }

        /// Only the gateway may say who a member is: another process with its own good key may not.
        @Test func onlyTheGatewaySpeaksForMembers() async throws {
            for target in Self.targets where target.service != .gateway {
                guard case .member = target.route.access, target.route.method == .get else { continue }
                for caller in ServiceName.allCases where caller != .gateway && caller != target.service {
                    guard let key = await EndToEnd.stack.internalKey(of: target.service, with: caller) else { continue }
                    let header = try self.sign(self.claims(caller, target.service), key, target, [])
                    try await PublicAPI.using(EndToEnd.stack.settings.url(target.service)) { door in
                        let answer = try await door.send(.get, target.path, headers: ["Switchboard-Identity": header])
                        #expect([401, 403].contains(answer.status), "\(target.route.name) by \(caller): \(answer.status)")
                    }
                }
            }
        }

        /// At the public door an identity header means nothing, whoever signed it.
        @Test func thePublicDoorTakesNoIdentity() async throws {
            try await PublicAPI.using(EndToEnd.stack.settings.gatewayURL) { door in
                let key = try #require(await EndToEnd.stack.internalKey(of: .gateway, with: .campaigns))
                for route in RouteCatalogue.all where route.method == .get {
                    guard case .member = route.access else { continue }
                    let target = Target(service: .gateway, route: route)
                    let header = try self.sign(self.claims(.campaigns, .gateway), key, target, [])
                    let answer = try await door.send(.get, target.path, headers: ["Switchboard-Identity": header])
                    #expect(answer.status == 401, "\(route.name): \(answer.status)")
                }
            }
        }

        private func caller(of target: Target) -> ServiceName {
            if case .service(let allowed) = target.route.access {
                return ServiceName.allCases.first { allowed.contains($0) && $0 != target.service } ?? .gateway
            }
            return .gateway
        }
    }
}
