import Foundation
import HTTPTypes
import Hummingbird
import Models
import NIOCore
import ServiceKit
import Testing

@testable import Gateway

@Suite struct AdminTests {
    // MARK: - Rules

    private static func brief(_ type: String, _ id: String, _ seconds: Double, _ data: JSONValue) -> EventBrief {
        EventBrief(id: id, type: type, timestamp: Date(timeIntervalSince1970: seconds), data: data)
    }

    private static func entry(_ id: String, _ seconds: Double) -> ActivityItem {
        ActivityItem(
            id: id,
            time: Date(timeIntervalSince1970: seconds),
            source: .audit,
            kind: "key.created",
            text: "Key created",
            actor: nil,
            target: nil
        )
    }

    @Test func theFeedIsTheNewestOfBothLogsInOrderOfTime() {
        let events = (0..<20).map { Self.brief("sync_completed", "evt_\($0)", Double($0) * 10, ["integration_id": 5, "name": "CRM"]) }
        let feed = Activity.merge((0..<20).map { Self.entry("aud_\($0)", Double($0) * 10 + 5) }, events)
        #expect(feed.count == 20)
        #expect(feed.map(\.time) == feed.map(\.time).sorted(by: >))
        #expect(feed.prefix(2).map(\.id) == ["aud_19", "evt_19"])
        #expect(feed[1].text == "Sync completed: CRM")
        #expect(feed[1].target == "integration:5")
    }

    @Test func whatBothLogsTellIsToldOnceByTheOneThatKnowsTheActor() {
        let event = Self.brief("integration_connected", "evt_1", 1, ["integration_id": 5])
        #expect(Activity.merge([Self.entry("aud_1", 0)], [event]).map(\.id) == ["aud_1"])
        #expect(Activity.text("integration.needs_attention", name: "Main CRM") == "Integration needs attention: Main CRM")
    }

    @Test func reasonsTellNoAddress() {
        let kinds: [ServiceCallError.Kind] = [.notSent, .timedOut, .broken, .unreadable, .answered(status: 503), .answered(status: 500)]
        for kind in kinds {
            let standing = ServiceStanding(ServiceCallError(.campaigns, kind, detail: "http://10.0.0.7:8081 refused the secret"))
            #expect(standing.status == .degraded)
            #expect(standing.detail?.contains("10.0") == false && standing.detail?.contains("secret") == false)
        }
    }

    @Test func readinessIsReadFromWhatProcessesAnswer() {
        let ready = ReplicaHealth(
            replica: 1,
            httpStatus: 200,
            body: Array(#"{"checks":{"database":true}}"#.utf8),
            latency: .milliseconds(2)
        )
        #expect(ready == ReplicaHealth(replica: 1, status: .ready, checks: ["database": true], latencyMilliseconds: 2))
        let busy = ReplicaHealth(replica: 2, httpStatus: 503, body: Array(#"{"checks":{"schema":false}}"#.utf8), latency: .zero)
        #expect(busy.status == .notReady && busy.checks == ["schema": false])
        #expect(ReplicaHealth(replica: 3, httpStatus: 200, body: Array("<html>".utf8), latency: .zero).status == .unreachable)
        #expect(ServiceHealth([ready, busy]).status == .degraded)
        #expect(ServiceHealth([busy]).status == .down)
        #expect(ServiceHealth([ready]).status == .ok)
    }

    @Test func aPartThatNeverEndsIsGivenUpInTime() async throws {
        let start = ContinuousClock.now
        await #expect(throws: TookTooLong.self) {
            try await Gathering.within(.milliseconds(50)) { try await Task.sleep(for: .seconds(60)) }
        }
        // Far from what it would sleep, and from what a busy machine makes of 50 ms.
        #expect(ContinuousClock.now - start < .seconds(40))
    }

    // MARK: - Upstreams

    private static func json(_ value: some Encodable) throws -> Response {
        Response(
            status: .ok,
            headers: [.contentType: "application/json"],
            body: .init(byteBuffer: ByteBuffer(bytes: try JSONCoding.encode(value)))
        )
    }

    private static let ready = #"{"status":"ready","checks":{"database":true,"schema":true}}"#

    /// Answers for all three services as they do when all is well.
    private static let well: @Sendable (FakeUpstream.Received) async throws -> Response = { received in
        switch received.path {
        case Route.integrationsSummary.template:
            var status = IntegrationsSummary.StatusCounts()
            var health = IntegrationsSummary.HealthCounts()
            (status.enabled, health.healthy) = (2, 2)
            return try Self.json(
                IntegrationsSummary(
                    total: 2,
                    byStatus: status,
                    byHealth: health,
                    providers: [.init(provider: "hubspot", integrations: 2, failing: 0)],
                    failing: [],
                    lastSyncs: []
                )
            )
        case Route.campaignsSummary.template:
            let names = ["draft", "scheduled", "preparing", "sending", "paused", "sent", "cancelled"]
            let statuses = Dictionary(names.map { ($0, $0 == "sent" ? 1 : 0) }, uniquingKeysWith: { $1 })
            let day = MessageDay(day: "2026-11-22", accepted: 3, failed: 1, inDoubt: 0)
            return try Self.json(CampaignsSummary(total: 1, byStatus: statuses, contacts: 4, messages: MessageSums([day]), days: [day]))
        case Route.webhooksSummary.template:
            let event = Self.brief("campaign_sent", "evt_019a", 4_000_000_000, ["campaign_id": 12, "name": "Spring"])
            return try Self.json(
                WebhooksSummary(
                    subscriptions: .init(active: 1, deleted: 0, gone: 0),
                    deliveries: .init(pending: 0, delivering: 0, dead: 0),
                    lastDay: .init(events: 1, quarantined: 0, succeeded: 1, dead: 0, open: 0),
                    newestEvents: [event]
                )
            )
        case "/readyz":
            return Response(
                status: .ok,
                headers: [.contentType: "application/json"],
                body: .init(byteBuffer: ByteBuffer(string: Self.ready))
            )
        default: return Response(status: .notFound)
        }
    }

    // MARK: - Overview

    @Test func theOverviewHoldsAllPartsOfTheCallersOrganization() async throws {
        let upstream = FakeUpstream(Self.well)
        try await withUpstream(upstream) { url in
            try await withGateway(.init(upstream: url)) { gateway in
                let owner = try await gateway.register()
                _ = try await gateway.key(of: owner, [.contactsRead])
                let answer = try await gateway.get("/admin/dashboard/overview", owner)
                #expect(answer.status == 200, "\(answer.text)")
                for service in ServiceName.allCases {
                    #expect(answer.json["services"]?[service.rawValue] == ["status": "ok", "detail": .null])
                }
                let organization = answer.json["organization"]
                #expect(organization?["id"]?.integerValue == owner.organization.rawValue)
                #expect(organization?["members"] == ["viewer": 0, "editor": 0, "admin": 0, "owner": 1, "total": 1])
                #expect(organization?["live_keys"] == 1)
                #expect(organization?["limits"]?["key_hour"] == 1_000)
                #expect(answer.json["integrations"]?["total"] == 2)
                #expect(answer.json["campaigns"]?["messages"]?["accepted"] == 3)
                #expect(answer.json["webhooks"]?["last_day"]?["success_rate"] == 1)
                let activity = answer.json["activity"]?.arrayValue ?? []
                #expect(activity.first?["text"] == "Campaign sent: Spring")
                #expect(activity.first?["actor"] == .null)
                let made = activity.first { $0["kind"] == "key.created" }
                #expect(made?["actor"] == ["id": .string("user:\(owner.user)"), "name": "Ada"])

                // Each owner is asked on behalf of the caller, in the signed identity.
                for (service, route) in [
                    (ServiceName.integrations, Route.integrationsSummary), (.campaigns, .campaignsSummary), (.webhooks, .webhooksSummary),
                ] {
                    let received = try #require(upstream.received.first { $0.path == route.template })
                    let keys = try IdentityKeys(service: service, keys: [.gateway: [Secret(TestGateway.internalKey)]])
                    let verified = try keys.verify(received.headers[.switchboardIdentity], method: "GET", path: route.template)
                    #expect(verified.identity.principal?.organizationID == owner.organization)
                }
            }
        }
    }

    /// One is down, one hangs, one answers an error: their parts are missing, the rest stays, and nobody waits for long.
    @Test func aServiceThatIsDownSlowOrWrongIsDegradedAndTheRestStays() async throws {
        let hanging = FakeUpstream { _ in
            try await Task.sleep(for: .seconds(20))
            return Response(status: .ok)
        }
        let wrong = FakeUpstream { _ in Response(status: .internalServerError) }
        try await withUpstream(hanging) { hangingURL in
            try await withUpstream(wrong) { wrongURL in
                let variables = ["CAMPAIGNS_URLS": hangingURL, "WEBHOOKS_URLS": wrongURL]
                try await withGateway(.init(variables: variables)) { gateway in
                    let owner = try await gateway.register()
                    let start = ContinuousClock.now
                    let answer = try await gateway.get("/admin/dashboard/overview", owner)
                    // Three seconds for each part, side by side, and what a busy machine adds.
                    #expect(ContinuousClock.now - start < .seconds(15))
                    #expect(answer.status == 200)
                    let services = answer.json["services"]
                    #expect(services?["gateway"]?["status"] == "ok")
                    #expect(services?["integrations"] == ["status": "degraded", "detail": "It cannot be reached."])
                    #expect(services?["campaigns"] == ["status": "degraded", "detail": "It took too long to answer."])
                    #expect(services?["webhooks"] == ["status": "degraded", "detail": "It answered wrongly."])
                    for part in ["integrations", "campaigns", "webhooks"] { #expect(answer.json[part] == .null) }
                    #expect(answer.json["organization"]?["name"] == "Analytical Engines")
                    #expect(answer.json["activity"]?.arrayValue?.contains { $0["kind"] == "organization.created" } == true)
                    #expect(!answer.text.contains("127.0.0.1:"))
                }
            }
        }
    }

    @Test func keysSeeOnlyThePartsThatTheirScopesOpen() async throws {
        let upstream = FakeUpstream(Self.well)
        try await withUpstream(upstream) { url in
            try await withGateway(.init(upstream: url)) { gateway in
                let owner = try await gateway.register()
                let body: JSONValue = ["name": "k", "role": "admin", "scopes": ["organization:read", "campaigns:read"]]
                let made = try await gateway.post("/api/keys", owner, body)
                let key = try #require(made.json["key"]?.stringValue)
                let answer = try await gateway.door.send("GET", "/api/v1/admin/dashboard/overview", headers: [("X-API-Key", key)])
                #expect(answer.status == 200, "\(answer.text)")
                #expect(answer.json["services"]?["campaigns"]?["status"] == "ok")
                #expect(answer.json["services"]?["gateway"]?["status"] == "ok")
                for part in ["integrations", "webhooks"] {
                    #expect(answer.json["services"]?[part]?["status"] == "withheld")
                    #expect(answer.json[part] == .null)
                }
                // Without audit:read and webhooks:read there is nothing to tell.
                #expect(answer.json["activity"] == [])
                #expect(!upstream.received.contains { $0.path == Route.webhooksSummary.template })
            }
        }
    }

    @Test func anotherOrganizationsDoingsAreNotInTheFeed() async throws {
        try await withGateway { gateway in
            let first = try await gateway.register()
            let second = try await gateway.register("grace@example.com")
            _ = try await gateway.key(of: second, [.contactsRead])
            let answer = try await gateway.get("/admin/dashboard/overview", first)
            let kinds = (answer.json["activity"]?.arrayValue ?? []).compactMap { $0["kind"]?.stringValue }
            #expect(kinds.contains("organization.created") && !kinds.contains("key.created"))
            #expect(answer.json["organization"]?["live_keys"] == 0)
            #expect(!answer.text.contains("user:\(second.user)\""))
        }
    }

    @Test(arguments: [Role.viewer, .editor]) func onlyAdminsAndOwnersSeeIt(_ role: Role) async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            try await gateway.setRole(of: member, role)
            for path in ["/admin/dashboard/overview", "/admin/health"] {
                #expect(try await gateway.get(path, member).status == 403)
                #expect(try await gateway.door.send("GET", "/api/v1\(path)").status == 401)
            }
        }
    }

    @Test func parametersThatMeanNothingAreNamed() async throws {
        try await withGateway { gateway in
            let owner = try await gateway.register()
            let answer = try await gateway.get("/admin/health?limit=5&colour=red", owner)
            #expect(answer.status == 422)
            let pointers = (answer.json["errors"]?.arrayValue ?? []).compactMap { $0["pointer"]?.stringValue }
            #expect(Set(pointers) == ["?limit", "?colour"])
        }
    }

    // MARK: - Health

    @Test func healthNamesEachReplicaThatIsNotReady() async throws {
        let well = FakeUpstream(Self.well)
        let notReady = FakeUpstream { _ in
            Response(status: .serviceUnavailable, body: .init(byteBuffer: ByteBuffer(string: #"{"checks":{"database":false}}"#)))
        }
        try await withUpstream(well) { wellURL in
            try await withUpstream(notReady) { notReadyURL in
                let variables = ["CAMPAIGNS_URLS": "\(wellURL),\(notReadyURL)", "WEBHOOKS_URLS": "http://127.0.0.1:1"]
                try await withGateway(.init(upstream: wellURL, variables: variables)) { gateway in
                    let owner = try await gateway.register()
                    let answer = try await gateway.get("/admin/health", owner)
                    #expect(answer.status == 200, "\(answer.text)")
                    let services = answer.json["services"]
                    #expect(answer.json["status"] == "degraded")
                    #expect(services?["integrations"]?["status"] == "ok")
                    #expect(services?["campaigns"]?["status"] == "degraded")
                    let replicas = services?["campaigns"]?["replicas"]?.arrayValue ?? []
                    #expect(replicas.map { $0["status"] } == ["ready", "not_ready"])
                    #expect(replicas.last?["checks"] == ["database": false])
                    #expect(services?["webhooks"]?["status"] == "down")
                    #expect(answer.json["gateway"]?["database"]?["status"] == "ok")
                    #expect(answer.json["gateway"]?["rate_limiter"]?["status"] == "ok")
                    // Nothing runs that would log the mail of the registration.
                    #expect(answer.json["gateway"]?["mail"]?["pending"] == 1)
                    #expect(answer.json["gateway"]?["outbox"]?["refused"] == 0)
                    #expect(!answer.text.contains("127.0.0.1"))
                }
            }
        }
    }
}
