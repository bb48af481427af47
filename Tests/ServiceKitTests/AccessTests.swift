import HTTPTypes
import Hummingbird
import Logging
import Models
import ServiceKit
import Testing
import Transport

/// Who gets in where: every kind of `Route.Access` beside every kind of caller, over real sockets.
@Suite struct AccessTests {
    private static let editor = Principal.user(.editor)

    private func withCampaigns(_ body: @escaping @Sendable (TestServer) async throws -> Void) async throws {
        try await withServer(.campaigns) { table in
            table.mount(.listContacts) { _, _ in .noContent }
            table.mount(.createCampaign) { _, _ in .noContent }
            table.mountInternal(.nudgeChanges) { _, _ in .noContent }
        } _: { server in
            try await body(server)
        }
    }

    @Test func publicRoutesOfAServiceNeedTheGatewayAndItsPrincipal() async throws {
        try await self.withCampaigns { server async throws in
            let list = "/api/v1/contacts"
            let create = "/api/v1/campaigns"
            #expect(try await server.request(.get, list).status == 401)
            #expect(try await server.request(.get, list, headers: [.switchboardIdentity: "v1.e30.e30"]).status == 401)
            #expect(try await server.request(from: .gateway, .get, list).status == 401)
            #expect(try await server.request(from: .integrations, as: Self.editor, .get, list).status == 403)
            let table: [(Principal, Int, Int)] = [
                (.user(.viewer), 204, 403),
                (.user(.editor), 204, 204),
                (.user(.owner), 204, 204),
                (.key(.editor, [.campaignsWrite]), 403, 204),
                (.key(.editor, [.contactsRead]), 204, 403),
                (.key(.viewer, [.contactsRead, .campaignsWrite]), 204, 403),
                (.key(.owner, []), 403, 403),
            ]
            for (principal, listed, created) in table {
                #expect(try await server.request(from: .gateway, as: principal, .get, list).status == listed)
                #expect(try await server.request(from: .gateway, as: principal, .post, create, json: [:]).status == created)
            }
        }
    }

    @Test func internalRouteTakesOnlyItsCallers() async throws {
        try await self.withCampaigns { server async throws in
            let path = "/internal/nudges/changes"
            #expect(try await server.request(from: .integrations, .post, path, json: [:]).status == 204)
            #expect(try await server.request(from: .webhooks, .post, path, json: [:]).status == 403)
            #expect(try await server.request(from: .gateway, as: .user(.owner), .post, path, json: [:]).status == 403)
            #expect(try await server.request(.post, path).status == 401)
        }
    }

    @Test func changedBodyUnderASignatureIsRefused() async throws {
        try await self.withCampaigns { server async throws in
            let identity = InternalIdentity(
                caller: .integrations,
                callee: .campaigns,
                requestID: "x",
                expires: Int64(ContinuousWallClock.seconds) + 30
            )
            let signed = SignedRequest(method: "POST", path: "/internal/nudges/changes", body: .bytes(Array("{}".utf8)))
            let headers: HTTPFields = [
                .contentType: "application/json",
                .switchboardIdentity: try TestKeys.identities(.integrations).sign(identity, for: signed),
            ]
            let answer = try await server.request(.post, signed.path, headers: headers, body: .bytes(Array(#"{"a":1}"#.utf8)))
            #expect(answer.status == 401)
        }
    }

    @Test func gatewayAsksItsAuthenticator() async throws {
        try await withServer(.gateway) { table in
            table.mount(.me) { _, _ in .noContent }
            table.mount(.listKeys) { _, context in
                #expect(context.route == .listKeys)
                return .noContent
            }
            table.mountOpen(.register) { _, _ in .noContent }
            table.mountInternal(.recordAudit) { _, _ in .noContent }
            table.authenticate { request, _, _ in
                switch request.headers[.authorization] {
                case "viewer": .user(.viewer)
                case "admin": .user(.admin)
                case "key": .key(.admin, [.keysRead])
                case "broken": throw Problem(.quotaExceeded, "Too many.", retryAfter: 3)
                default: nil
                }
            }
        } _: { server async throws in
            let table: [(String?, Int, Int)] = [
                (nil, 401, 401), ("viewer", 204, 403), ("admin", 204, 204), ("key", 403, 204), ("broken", 429, 429),
            ]
            for (who, me, keys) in table {
                let headers: HTTPFields = who.map { [.authorization: $0] } ?? [:]
                #expect(try await server.request(.get, "/api/v1/auth/me", headers: headers).status == me)
                #expect(try await server.request(.get, "/api/v1/api/keys", headers: headers).status == keys)
            }
            #expect(try await server.request(.post, "/api/v1/auth/register").status == 204)
            #expect(try await server.request(.post, "/internal/audit").status == 404)
            #expect(try await server.request(from: .webhooks, .post, "/internal/audit", json: [:]).status == 204)
            // An identity header from outside is worth nothing on a public route of the gateway.
            #expect(try await server.request(from: .campaigns, as: .user(.owner), .get, "/api/v1/auth/me").status == 401)
        }
    }
}
