import Database
import HTTPTypes
import Hummingbird
import Logging
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Integrations

@Suite(.serialized) struct IntegrationAdminTests {
    private static let hubSpot: JSONValue = ["provider": "hubspot", "name": "CRM", "config": ["access_token": "pat-very-secret-1"]]
    private static let mail: JSONValue = [
        "provider": "smtp", "name": "Mail", "config": ["host": "127.0.0.1", "port": 9, "security": "none"],
    ]

    private func endRun(_ stack: TestStack, of id: IntegrationID, _ state: String, error: String? = nil) async throws {
        try await stack.database.owner.write(
            """
            UPDATE sync_runs SET state = \(state)::text, error = \(error)::text,
                finished_at = CASE WHEN \(state)::text IN ('succeeded', 'failed') THEN now() END
            WHERE integration_id = \(id)
            """
        )
    }

    @Test func healthFollowsFromStatusAndRuns() async throws {
        try await withIntegrations { stack in
            let healthy = try await stack.connect(Self.hubSpot)
            let failed = try await stack.connect(Self.hubSpot)
            let waiting = try await stack.connect(Self.hubSpot)
            let refused = try await stack.connect(Self.hubSpot)
            let paused = try await stack.connect(Self.hubSpot)
            let unknown = try await stack.connect(Self.mail)
            try await self.endRun(stack, of: healthy, "succeeded")
            try await self.endRun(stack, of: failed, "failed", error: "HubSpot is away")
            try await self.endRun(stack, of: waiting, "waiting")
            try await self.endRun(stack, of: refused, "succeeded")
            try await stack.assembly.health.needsAttention(refused, in: TestStack.organization, because: "The token has expired.")
            _ = try await stack.call(.patch, "/api/v1/integrations/\(paused)", ["status": "paused"])

            let answer = try await stack.call(.get, "/api/v1/admin/integrations/all")
            #expect(answer.status == 200, "\(answer.text)")
            #expect(!answer.text.contains("pat-very-secret"))
            let items = answer.json["data"]?.arrayValue ?? []
            let health = Dictionary(items.map { ($0["id"]?.integerValue, $0["health"]?.stringValue) }, uniquingKeysWith: { $1 })
            let expected: [(IntegrationID, String)] = [
                (healthy, "healthy"), (failed, "failing"), (waiting, "waiting"), (refused, "failing"), (paused, "paused"),
                (unknown, "unknown"),
            ]
            for (id, word) in expected { #expect(health[id.rawValue] == word, "\(id)") }
            #expect(items.first { $0["id"] == .integer(failed.rawValue) }?["last_sync"]?["error"] == "HubSpot is away")
            #expect(items.first { $0["id"] == .integer(unknown.rawValue) }?["last_sync"] == .null)

            let summary = try await stack.assembly.adminStore.summary(of: TestStack.organization)
            #expect(summary.total == 6)
            #expect(summary.byHealth.failing == 2 && summary.byHealth.healthy == 1 && summary.byHealth.waiting == 1)
            #expect(summary.byHealth.paused == 1 && summary.byHealth.unknown == 1)
            #expect(summary.byStatus.needsAttention == 1 && summary.byStatus.paused == 1 && summary.byStatus.enabled == 4)
            #expect(summary.providers.map(\.provider) == ["hubspot", "smtp"])
            #expect(summary.failing.map(\.id) == [refused, failed])
            #expect(summary.failing.map(\.reason) == ["The token has expired.", "HubSpot is away"])
            #expect(summary.lastSyncs.count == 5)
        }
    }

    @Test func anotherOrganizationIsNeverCounted() async throws {
        try await withIntegrations { stack in
            let id = try await stack.connect(Self.hubSpot)
            let other = try await stack.assembly.adminStore.summary(of: TestStack.other)
            #expect(other.total == 0 && other.lastSyncs.isEmpty && other.providers.isEmpty && other.failing.isEmpty)
            let list = try await stack.call(.get, "/api/v1/admin/integrations/all", in: TestStack.other)
            #expect(list.json["data"] == [])
            let foreign = try await stack.call(
                .post,
                "/api/v1/admin/integrations/bulk-test",
                ["integration_ids": [.integer(id.rawValue)]],
                in: TestStack.other
            )
            let missing = try await stack.call(
                .post,
                "/api/v1/admin/integrations/bulk-test",
                ["integration_ids": [999_999]],
                in: TestStack.other
            )
            #expect(foreign.status == 422)
            #expect(foreign.text == missing.text)
        }
    }

    @Test func theListGoesOnWhereItsCursorSays() async throws {
        try await withIntegrations { stack in
            for _ in 0..<3 { _ = try await stack.connect(Self.hubSpot) }
            _ = try await stack.connect(Self.mail)
            let first = try await stack.call(.get, "/api/v1/admin/integrations/all?provider=hubspot&limit=2")
            let cursor = try #require(first.json["next_cursor"]?.stringValue)
            let second = try await stack.call(.get, "/api/v1/admin/integrations/all?provider=hubspot&limit=2&cursor=\(cursor)")
            let ids = [first, second].flatMap { $0.json["data"]?.arrayValue ?? [] }.compactMap { $0["id"]?.integerValue }
            #expect(ids.count == 3 && ids == ids.sorted(by: >))
            #expect(second.json["next_cursor"] == .null)
        }
    }

    @Test func providersTellHowManyUseThem() async throws {
        try await withIntegrations { stack in
            for _ in 0..<2 { _ = try await stack.connect(Self.hubSpot) }
            let answer = try await stack.call(.get, "/api/v1/admin/integrations/providers")
            let counts = (answer.json["data"]?.arrayValue ?? []).map { ($0["key"]?.stringValue, $0["integrations"]?.integerValue) }
            #expect(counts.map(\.0) == ["hubspot", "sendgrid", "smtp"])
            #expect(counts.map(\.1) == [2, 0, 0])
            #expect(answer.json["data"]?.arrayValue?.first?["config_fields"] != nil)
        }
    }

    @Test(arguments: [Role.viewer, .editor]) func onlyAdminsSeeAndTest(_ role: Role) async throws {
        try await withIntegrations { stack in
            for path in ["/api/v1/admin/integrations/all", "/api/v1/admin/integrations/providers"] {
                let answer = try await stack.call(.get, path, as: role)
                #expect(answer.status == 403)
            }
            #expect(try await stack.call(.post, "/api/v1/admin/integrations/bulk-test", [:], as: role).status == 403)
        }
    }

    /// A peer that is not the gateway knows no callers, and the gateway must name one.
    @Test func summariesAreForTheGatewayOnBehalfOfACaller() async throws {
        try await withIntegrations { stack in
            let path = Route.integrationsSummary.template
            let answer = try await stack.call(.get, path)
            #expect(answer.status == 200)
            #expect(answer.json["total"] == 0)
            await #expect { _ = try await stack.campaigns.callBytes(.integrationsSummary, [:], [], nil, true) } throws: {
                ($0 as? ServiceCallError)?.status == 403
            }
            await #expect { _ = try await stack.gateway.callBytes(.integrationsSummary, [:], [], nil, true) } throws: {
                ($0 as? ServiceCallError)?.status == 403
            }
        }
    }

    // MARK: - Tests of many

    @Test func everyFaultOfTheIdsIsNamed() throws {
        #expect(throws: Problem.validation([.init(pointer: "/integration_ids", detail: "must have 1 to 50 items")])) {
            try BulkTestInput(["integration_ids": []])
        }
        #expect {
            try BulkTestInput(["integration_ids": [1, "2", 0, 1], "colour": "red"])
        } throws: {
            Set(($0 as? Problem)?.errors.map(\.pointer) ?? [])
                == ["/integration_ids/1", "/integration_ids/2", "/integration_ids/3", "/colour"]
        }
        #expect(try BulkTestInput([:]).ids == nil)
        #expect(try BulkTestInput(["integration_ids": [3, 2]]).ids?.map(\.rawValue) == [3, 2])
    }

    @Test func eachConnectionGetsItsOwnResult() async throws {
        let fake = FakeHubSpot()
        try await withServer(fake.router) { url in
            try await withIntegrations(.init(hubSpot: url)) { stack in
                let good = try await stack.connect(["provider": "hubspot", "config": ["access_token": .string(FakeHubSpot.token)]])
                let bad = try await stack.connect(Self.hubSpot)
                let dead = try await stack.connect(Self.mail)
                try await stack.assembly.health.needsAttention(good, in: TestStack.organization, because: "x")
                let answer = try await stack.call(.post, "/api/v1/admin/integrations/bulk-test", [:])
                #expect(answer.status == 200, "\(answer.text)")
                let results = answer.json["results"]?.arrayValue ?? []
                #expect(results.map { $0["integration_id"]?.integerValue } == [dead.rawValue, bad.rawValue, good.rawValue])
                #expect(results.map { $0["outcome"] } == ["failed", "failed", "passed"])
                #expect(answer.json["counts"] == ["passed": 1, "failed": 2, "timed_out": 0, "error": 0])
                #expect(answer.json["not_tested"] == 0)
                #expect(!answer.text.contains("pat-very-secret"))
                // A passed test clears what a refusal had set, as a single one does.
                let shown = try await stack.call(.get, "/api/v1/integrations/\(good)")
                #expect(shown.json["status"] == "enabled")

                let chosen = try await stack.call(
                    .post,
                    "/api/v1/admin/integrations/bulk-test",
                    ["integration_ids": [.integer(good.rawValue)]]
                )
                #expect(chosen.json["results"]?.arrayValue?.count == 1)
            }
        }
    }

    @Test func whatIsNotFinishedInTimeIsTimedOutAndTheRestIsTold() async throws {
        let router = Router()
        router.get("/**") { _, _ -> String in
            try await Task.sleep(for: .seconds(30))
            return ""
        }
        try await withServer(router) { url in
            try await withIntegrations(.init(hubSpot: url)) { stack in
                let mail = try await stack.connect(Self.mail)
                var ids: [IntegrationID] = [mail]
                // More than run at once: some are never begun.
                for _ in 0..<(BulkTester.width + 2) { ids.append(try await stack.connect(Self.hubSpot)) }
                let assembly = stack.assembly
                let tester = BulkTester(
                    providers: assembly.parts.providers,
                    integrations: assembly.integrations,
                    health: assembly.health,
                    logger: TestLog.quiet,
                    limit: .seconds(1)
                )
                let targets = try await assembly.adminStore.find(ids, in: TestStack.organization)
                let start = ContinuousClock.now
                let results = await tester.run(targets, in: TestStack.organization)
                #expect(ContinuousClock.now - start < .seconds(10))
                #expect(results.map(\.target.id) == ids)
                #expect(results.first?.outcome == .failed)
                #expect(results.dropFirst().allSatisfy { $0.outcome == .timedOut })
                #expect(results.last?.duration == nil)
            }
        }
    }
}
