import Database
import Foundation
import HTTPTypes
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Webhooks

@Suite struct AdminTests {
    private static let other = OrganizationID(2)
    private static let path = "/api/v1/admin/webhooks/event-logs"

    /// Three events to one subscription: one delivered, one given up, one waiting. And one of another organization.
    private func filled(_ fixture: Fixture) async throws -> [String] {
        try await fixture.subscribe("https://127.0.0.1:9/x")
        var ids: [String] = []
        for _ in 0..<3 {
            let entry = EventBatch.Entry.make(adding: ["secret": "s3cret"])
            try await fixture.bring([entry])
            ids.append(entry.event.id)
        }
        try await fixture.bring([.make(in: Self.other)])
        for (id, state) in [(ids[0], "succeeded"), (ids[1], "dead")] {
            try await fixture.settle("event_id = \(id)", as: state)
        }
        return ids
    }

    private func ids(_ reply: Reply) -> [String] { (reply.json["data"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue } }

    @Test func theEventLogTellsHowDeliveriesStand() async throws {
        try await Fixture.running { fixture in
            let ids = try await self.filled(fixture)
            let all = try await fixture.call(.get, Self.path)
            #expect(all.status == 200, "\(all.json.text)")
            #expect(self.ids(all) == ids.reversed())
            let last = all.json["data"]?.arrayValue?.last
            #expect(last?["deliveries"] == ["total": 1, "pending": 0, "delivering": 0, "succeeded": 1, "dead": 0])
            #expect(last?["quarantine"] == .null)
            #expect(!all.json.text.contains("s3cret"))
            for (state, expected) in [("succeeded", [ids[0]]), ("dead", [ids[1]]), ("pending", [ids[2]]), ("delivering", [])] {
                #expect(self.ids(try await fixture.call(.get, "\(Self.path)?state=\(state)")) == expected, "\(state)")
            }
            #expect(self.ids(try await fixture.call(.get, "\(Self.path)?event=sync_completed")).isEmpty)
            #expect(self.ids(try await fixture.call(.get, "\(Self.path)?event=campaign_sent&state=dead")) == [ids[1]])
        }
    }

    @Test func theLogGoesOnWhereItsCursorSays() async throws {
        try await Fixture.running { fixture in
            let ids = try await self.filled(fixture)
            let first = try await fixture.call(.get, "\(Self.path)?limit=2")
            let cursor = try #require(first.json["next_cursor"]?.stringValue)
            // What comes meanwhile does not move the next page.
            try await fixture.bring([.make()])
            let second = try await fixture.call(.get, "\(Self.path)?limit=2&cursor=\(cursor)")
            #expect(self.ids(first) + self.ids(second) == ids.reversed())
            #expect(second.json["next_cursor"] == .null)
        }
    }

    @Test func anotherOrganizationsEventsAreNotShown() async throws {
        try await Fixture.running { fixture in
            let ids = try await self.filled(fixture)
            let shown = self.ids(try await fixture.call(.get, Self.path, in: Self.other))
            #expect(shown.count == 1 && Set(shown).isDisjoint(with: ids))
            let cursor = try #require(try await fixture.call(.get, "\(Self.path)?limit=1").json["next_cursor"]?.stringValue)
            #expect(Set(self.ids(try await fixture.call(.get, "\(Self.path)?cursor=\(cursor)", in: Self.other))).isDisjoint(with: ids))
        }
    }

    @Test func faultsAreNamedAndOthersAreNotLetIn() async throws {
        try await Fixture.running { fixture in
            let reply = try await fixture.call(.get, "\(Self.path)?event=x&state=y")
            #expect(reply.status == 422)
            #expect(Set(reply.faultPointers) == ["?event", "?state"])
            let page = try await fixture.call(.get, "\(Self.path)?limit=0&cursor=abc&colour=red")
            #expect(Set(page.faultPointers) == ["?limit", "?cursor", "?colour"])
            for role in [Role.viewer, .editor] { #expect(try await fixture.call(.get, Self.path, as: role).status == 403) }
        }
    }

    @Test func theSummaryCountsOneOrganization() async throws {
        try await Fixture.running { fixture in
            let ids = try await self.filled(fixture)
            let reply = try await fixture.call(.get, Route.webhooksSummary.template)
            #expect(reply.status == 200, "\(reply.json.text)")
            #expect(reply.json["subscriptions"] == ["active": 1, "deleted": 0, "gone": 0])
            #expect(reply.json["deliveries"] == ["pending": 1, "delivering": 0, "dead": 1])
            #expect(
                reply.json["last_day"]
                    == ["events": 3, "quarantined": 0, "succeeded": 1, "dead": 1, "open": 1, "success_rate": 0.5]
            )
            let newest = reply.json["newest_events"]?.arrayValue ?? []
            #expect(newest.map { $0["id"]?.stringValue } == ids.reversed())
            #expect(newest.first?["target"] == "campaign:12" && newest.first?["name"] == "Spring news")
            #expect(!reply.json.text.contains("s3cret"))
            let other = try await fixture.call(.get, Route.webhooksSummary.template, in: Self.other)
            #expect(other.json["last_day"] == ["events": 1, "quarantined": 0, "succeeded": 0, "dead": 0, "open": 0])
        }
    }

    @Test func anEventOfYesterdaysYesterdayIsNotOfTheLastDay() async throws {
        try await Fixture.running { fixture in
            let milliseconds = Int64((Date().timeIntervalSince1970 - 2 * 86_400) * 1_000)
            let hex = String(milliseconds, radix: 16)
            let id = "evt_" + String(repeating: "0", count: 12 - hex.count) + hex + "7000800000000000000a"
            try await fixture.bring([.make(id: id)])
            let reply = try await fixture.call(.get, Route.webhooksSummary.template)
            #expect(reply.json["last_day"]?["events"] == 0)
            #expect(reply.json["newest_events"]?.arrayValue?.count == 1)
        }
    }

    @Test func onlyTheGatewayAsksForSummariesAndOnlyForSomebody() async throws {
        try await Fixture.running { fixture in
            for caller in [ServiceName.campaigns, .gateway] {
                let reply = try await fixture.callAsPeer(.get, Route.webhooksSummary.template, from: caller)
                #expect(reply.status == 403, "\(caller)")
            }
        }
    }
}
