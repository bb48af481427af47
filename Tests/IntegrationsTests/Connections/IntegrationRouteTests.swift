import Database
import HTTPTypes
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Integrations

@Suite(.serialized) struct IntegrationRouteTests {
    private static let hubSpot: JSONValue = ["provider": "hubspot", "name": "CRM", "config": ["access_token": "pat-very-secret-1"]]

    /// A change takes the integration and then its open run; who ends a run takes them the other way round.
    @Test func aChangeThatStandsInTheWayOfARunsEndIsMadeAllTheSame() async throws {
        try await withIntegrations { stack in
            let id = try await stack.connect(Self.hubSpot)
            let runs = try await stack.database.runtime.readFirst("SELECT count(*) FROM sync_runs", as: Int.self)
            #expect(runs == 1)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await stack.database.runtime.transaction { transaction in
                        try transaction.write("SELECT FROM sync_runs FOR UPDATE")
                        // By then the change has the integration and waits for the run.
                        try transaction.write("SELECT pg_sleep(0.7)")
                        try transaction.write("SELECT FROM integrations WHERE id = \(id) FOR UPDATE")
                    }
                }
                try await eventually("the run is held") {
                    let sleeping: Query = "SELECT count(*) FROM pg_stat_activity WHERE query = \("SELECT pg_sleep(0.7)")"
                    return try await stack.database.runtime.readFirst(sleeping, as: Int.self) == 1
                }
                let answer = try await stack.call(.patch, "/api/v1/integrations/\(id)", ["status": "paused"])
                #expect(answer.status == 200, "\(answer.text)")
                try await group.waitForAll()
            }
        }
    }

    @Test func theCatalogueNamesEveryProviderAndField() async throws {
        try await withIntegrations { stack in
            let answer = try await stack.call(.get, "/api/v1/integrations/providers", as: .viewer)
            #expect(answer.status == 200)
            let providers = answer.json["data"]?.arrayValue ?? []
            #expect(providers.compactMap { $0["key"]?.stringValue } == ["hubspot", "sendgrid", "smtp"])
            #expect(providers.first?["config_fields"]?.arrayValue?.first?["secret"] == true)
        }
    }

    @Test func aCreatedIntegrationNeverShowsItsSecret() async throws {
        try await withIntegrations { stack in
            let created = try await stack.call(.post, "/api/v1/integrations", Self.hubSpot)
            #expect(created.status == 201)
            let id = try #require(created.json["id"]?.integerValue)
            let shown = try await stack.call(.get, "/api/v1/integrations/\(id)", as: .viewer)
            let listed = try await stack.call(.get, "/api/v1/integrations", as: .viewer)
            for answer in [created, shown, listed] { #expect(!answer.text.contains("pat-very-secret")) }
            #expect(shown.json["secrets_set"] == ["access_token"])
            #expect(shown.json["config"] == [:])
            #expect(shown.json["capabilities"] == ["sync_contacts"])
            #expect(try await stack.outbox("integration_connected").count == 1)
            let audits = try await stack.outbox("integration.created")
            #expect(audits.count == 1)
            #expect(!audits.map(\.text).joined().contains("pat-very-secret"))
            #expect(try await stack.runs(of: IntegrationID(rawValue: id)).map(\.cause) == [.connected])
        }
    }

    @Test func aRepeatUnderOneKeyMakesOneIntegration() async throws {
        try await withIntegrations { stack in
            let headers: HTTPFields = [try #require(HTTPField.Name("Idempotency-Key")): "key-1234567890abcdef"]
            let first = try await stack.call(.post, "/api/v1/integrations", Self.hubSpot, headers: headers)
            let second = try await stack.call(.post, "/api/v1/integrations", Self.hubSpot, headers: headers)
            #expect(first.status == 201)
            #expect(second.json == first.json)
            let listed = try await stack.call(.get, "/api/v1/integrations")
            #expect(listed.json["data"]?.arrayValue?.count == 1)
        }
    }

    @Test(arguments: [Role.viewer, .editor])
    func onlyAdminsChangeIntegrations(_ role: Role) async throws {
        try await withIntegrations { stack in
            let id = try await stack.connect(Self.hubSpot)
            #expect(try await stack.call(.post, "/api/v1/integrations", Self.hubSpot, as: role).status == 403)
            #expect(try await stack.call(.patch, "/api/v1/integrations/\(id)", ["name": "x"], as: role).status == 403)
            #expect(try await stack.call(.delete, "/api/v1/integrations/\(id)", as: role).status == 403)
            #expect(try await stack.call(.post, "/api/v1/integrations/\(id)/sync", as: role).status == 403)
            #expect(try await stack.call(.get, "/api/v1/integrations/\(id)", as: role).status == 200)
        }
    }

    @Test func anotherOrganizationsIntegrationIsAsOneThatDoesNotExist() async throws {
        try await withIntegrations { stack in
            let id = try await stack.connect(Self.hubSpot)
            for (method, path, body) in [
                (HTTPRequest.Method.get, "", nil), (.patch, "", ["name": "x"]), (.delete, "", nil), (.post, "/test", nil),
                (.post, "/sync", nil), (.get, "/syncs", nil),
            ] as [(HTTPRequest.Method, String, JSONValue?)] {
                let foreign = try await stack.call(method, "/api/v1/integrations/\(id)\(path)", body, in: TestStack.other)
                let missing = try await stack.call(method, "/api/v1/integrations/999999\(path)", body, in: TestStack.other)
                #expect(foreign.status == 404)
                #expect(foreign.text == missing.text)
            }
        }
    }

    @Test func aPauseStopsSyncsAndEnablingBeginsAnew() async throws {
        try await withIntegrations { stack in
            let id = try await stack.connect(Self.hubSpot)
            let paused = try await stack.call(.patch, "/api/v1/integrations/\(id)", ["status": "paused", "sync_interval": 600])
            #expect(paused.json["status"] == "paused")
            #expect(paused.json["sync_interval"] == 600)
            #expect(try await stack.runs(of: id).map(\.state) == [.cancelled])
            #expect(try await stack.call(.post, "/api/v1/integrations/\(id)/sync").status == 409)
            _ = try await stack.call(.patch, "/api/v1/integrations/\(id)", ["status": "enabled"])
            #expect(try await stack.runs(of: id).map(\.state) == [.queued, .cancelled])
            let asked = try await stack.call(.post, "/api/v1/integrations/\(id)/sync")
            #expect(asked.status == 202)
            #expect(try await stack.runs(of: id).count == 2)
        }
    }

    @Test func anUpdateTellsWhatItChangedAndNoSecret() async throws {
        try await withIntegrations { stack in
            let smtp: JSONValue = [
                "provider": "smtp", "name": "Mail",
                "config": ["host": "mail.example", "port": 25, "security": "starttls", "username": "u", "password": "first-very-secret"],
            ]
            let id = try await stack.connect(smtp)
            let path = "/api/v1/integrations/\(id)"
            let moved: JSONValue = ["host": "mx.example", "port": 26, "password": "second-very-secret"]
            #expect(try await stack.call(.patch, path, ["name": "Post", "status": "paused", "config": moved]).status == 200)
            #expect(try await stack.call(.patch, path, ["name": "Post", "config": ["port": 26]]).status == 200)
            #expect(try await stack.call(.patch, path, ["config": ["username": nil, "password": nil]]).status == 200)
            let told = try await stack.outbox("integration.updated").map { $0["details"] ?? .null }
            #expect(told.count == 2, "an update that changes nothing is no entry")
            #expect(
                told.first == [
                    "name": "Post", "credentials": ["password": "changed"],
                    "before": ["name": "Mail", "status": "enabled", "config": ["host": "mail.example", "port": 25]],
                    "after": ["name": "Post", "status": "paused", "config": ["host": "mx.example", "port": 26]],
                ]
            )
            let last: JSONValue = [
                "name": "Post", "credentials": ["password": "removed"], "before": ["config": ["username": "u"]], "after": ["config": [:]],
            ]
            #expect(told.last == last)
            #expect(!told.map(\.text).joined().contains("very-secret"))
        }
    }

    @Test func newCredentialsClearAttentionAndForgetTheCursor() async throws {
        try await withIntegrations { stack in
            let id = try await stack.connect(Self.hubSpot)
            try await stack.assembly.health.needsAttention(id, in: TestStack.organization, because: "refused")
            try await stack.assembly.health.needsAttention(id, in: TestStack.organization, because: "refused again")
            #expect(try await stack.outbox("integration_failed").count == 1)
            let notices = try await stack.notices()
            #expect(notices.map { $0["kind"] } == ["integration_failed"])
            #expect(notices.first?["detail"] == "refused")
            #expect(notices.first?["key"]?.stringValue?.hasPrefix("integration:\(id):") == true)
            #expect(notices.first?["subject"]?["id"]?.stringValue == String(id.rawValue))
            let changed = try await stack.call(.patch, "/api/v1/integrations/\(id)", ["config": ["access_token": "pat-other-one"]])
            #expect(changed.json["status"] == "enabled")
            let connection = try await stack.assembly.integrations.connection(id, in: TestStack.organization)
            #expect(connection?.secrets["access_token"]?.reveal() == "pat-other-one")
            // Their refusal is news, not a repeat of the one before.
            try await stack.assembly.health.needsAttention(id, in: TestStack.organization, because: "refused, too")
            #expect(Set(try await stack.notices().map { $0["key"]?.stringValue }).count == 2)
        }
    }

    @Test func aPassedTestIsToldToMembersWhereTheConnectionWasBroken() async throws {
        try await withIntegrations { stack in
            let id = try await stack.connect(Self.hubSpot)
            try await stack.assembly.health.recovered(id, in: TestStack.organization)
            #expect(try await stack.notices().isEmpty)
            try await stack.assembly.health.needsAttention(id, in: TestStack.organization, because: "refused")
            for _ in 0..<2 { try await stack.assembly.health.recovered(id, in: TestStack.organization) }
            #expect(try await stack.notices().map { $0["kind"] } == ["integration_failed", "integration_recovered"])
        }
    }

    @Test func deletingForgetsCredentialsAndStopsSyncs() async throws {
        try await withIntegrations { stack in
            let id = try await stack.connect(Self.hubSpot)
            #expect(try await stack.call(.delete, "/api/v1/integrations/\(id)").status == 204)
            #expect(try await stack.call(.delete, "/api/v1/integrations/\(id)").status == 404)
            #expect(try await stack.call(.get, "/api/v1/integrations/\(id)").status == 404)
            let left = try await stack.database.owner.readFirst("SELECT count(*) FROM credentials", as: Int.self)
            #expect(left == 0)
            let open = try await stack.database.owner.readFirst(
                "SELECT count(*) FROM sync_runs WHERE state <> 'cancelled'",
                as: Int.self
            )
            #expect(open == 0)
        }
    }

    @Test func aTestTellsWhatTheProviderSays() async throws {
        let fake = FakeHubSpot()
        try await withServer(fake.router) { url in
            try await withIntegrations(.init(hubSpot: url)) { stack in
                let good = try await stack.connect(["provider": "hubspot", "config": ["access_token": .string(FakeHubSpot.token)]])
                let passed = try await stack.call(.post, "/api/v1/integrations/\(good)/test")
                #expect(passed.json["ok"] == true)
                #expect(passed.json["account"]?["portal_id"] == 42)
                let bad = try await stack.connect(Self.hubSpot)
                let failed = try await stack.call(.post, "/api/v1/integrations/\(bad)/test")
                #expect(failed.status == 200)
                #expect(failed.json["ok"] == false)
                #expect(failed.json["detail"]?.stringValue?.contains("expired") == true)
            }
        }
    }
}
