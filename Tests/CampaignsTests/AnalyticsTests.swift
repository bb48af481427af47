import Database
import Foundation
import HTTPTypes
import Models
import Testing

@testable import Campaigns

@Suite struct AnalyticsTests {
    /// A campaign of four contacts: one accepted, one failed, one in doubt, one skipped for want of an address.
    private func sent(_ harness: Harness, in organization: OrganizationID? = nil) async throws -> CampaignKey {
        try await harness.addContacts(["a@x.example", "b@x.example", "c@x.example", nil], in: organization)
        let campaign = try await harness.startCampaign(in: organization)
        let batch = try #require(try await harness.claims().claim())
        let settlements = zip(batch.messages, [MessageState.accepted, .failed, .inDoubt]).map(settlement)
        _ = try await harness.settlements.apply(settlements, to: campaign, from: .claimed)
        _ = try await harness.completion.complete(campaign)
        return campaign
    }

    private func thisMonth() -> AnalyticsQuery { .overview(now: Date()) }

    @Test func daysAndCampaignsAreCountedFromTheMessages() async throws {
        try await withHarness { harness in
            let campaign = try await self.sent(harness)
            let store = AnalyticsStore(database: harness.database)
            let days = try await store.days(self.thisMonth(), in: harness.organization)
            #expect(days.count == 1)
            #expect(days.first?.accepted == 1 && days.first?.failed == 1 && days.first?.inDoubt == 1)
            let campaigns = try await store.campaigns(self.thisMonth(), in: harness.organization)
            #expect(campaigns.map(\.id) == [campaign.id])
            let counts = try await harness.counts(campaign)
            #expect(campaigns.first?.counts == counts)
            #expect(counts.total == 4 && counts.skipped == 1)
        }
    }

    @Test func whatIsOlderThanTheDaysIsNotCounted() async throws {
        try await withHarness { harness in
            _ = try await self.sent(harness)
            try await harness.database.write(
                "UPDATE messages SET updated_at = now() - interval '40 days', in_doubt_at = now() - interval '40 days'"
            )
            try await harness.database.write(
                "UPDATE campaigns SET started_at = now() - interval '40 days', finished_at = now() - interval '40 days'"
            )
            let store = AnalyticsStore(database: harness.database)
            #expect(try await store.days(self.thisMonth(), in: harness.organization).isEmpty)
            #expect(try await store.campaigns(self.thisMonth(), in: harness.organization).isEmpty)
            var query = self.thisMonth()
            query.from = query.from.addingTimeInterval(-30 * 86_400)
            #expect(try await store.days(query, in: harness.organization).map(\.accepted) == [1])
            #expect(try await store.campaigns(query, in: harness.organization).count == 1)
        }
    }

    @Test func whatWasInDoubtCountsOnTheDayItWasSettled() async throws {
        try await withHarness { harness in
            _ = try await self.sent(harness)
            try await harness.database.write("UPDATE messages SET in_doubt_at = now() - interval '3 days' WHERE state = 'in_doubt'")
            let store = AnalyticsStore(database: harness.database)
            #expect(try await store.days(self.thisMonth(), in: harness.organization).map(\.inDoubt) == [1, 0])
            try await harness.database.write("UPDATE messages SET state = 'accepted' WHERE state = 'in_doubt'")
            let days = try await store.days(self.thisMonth(), in: harness.organization)
            #expect(days.map(\.accepted) == [2])
        }
    }

    @Test func theSummaryIsOfOneOrganization() async throws {
        try await withHarness { harness in
            _ = try await self.sent(harness)
            let store = AnalyticsStore(database: harness.database)
            let summary = try await store.summary(of: harness.organization, now: Date())
            #expect(summary.total == 1 && summary.byStatus["sent"] == 1 && summary.byStatus.count == CampaignStatus.allCases.count)
            #expect(summary.contacts == 4)
            #expect(summary.messages.accepted == 1 && summary.messages.failed == 1 && summary.messages.inDoubt == 1)
            let other = try await store.summary(of: 12, now: Date())
            #expect(other.total == 0 && other.contacts == 0 && other.days.isEmpty)
            #expect(try await store.campaigns(self.thisMonth(), in: 12).isEmpty)
        }
    }

    @Test func theRouteAnswersAdminsAndNamesFaults() async throws {
        try await withAPI { api, harness in
            _ = try await self.sent(harness, in: 1)
            let path = "/api/v1/admin/campaigns/analytics"
            let answer = try await api.call(.get, path)
            #expect(answer.status == 200, "\(answer.body.text)")
            #expect(answer.body["totals"] == ["accepted": 1, "failed": 1, "in_doubt": 1])
            #expect(answer.body["data"]?.arrayValue?.first?["counts"]?["total"] == 4)
            #expect(answer.body["next_cursor"] == .null)
            #expect(try await api.acting(in: 2).call(.get, path).body["data"] == [])
            #expect(try await api.acting(as: .editor).call(.get, path).status == 403)
            let cases: [(String, Set<String>)] = [
                ("?from=yesterday&to=x", ["?from", "?to"]), ("?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", ["?to"]),
                ("?from=2024-01-01T00:00:00Z&to=2026-01-01T00:00:00Z", ["?from"]), ("?colour=red", ["?colour"]),
            ]
            for (query, pointers) in cases {
                let refused = try await api.call(.get, path + query)
                #expect(refused.status == 422)
                #expect(Set((refused.body["errors"]?.arrayValue ?? []).compactMap { $0["pointer"]?.stringValue }) == pointers, "\(query)")
            }
        }
    }

    @Test func campaignsComeInPages() async throws {
        try await withAPI { api, harness in
            for _ in 0..<3 { _ = try await harness.startCampaign(in: 1) }
            let first = try await api.call(.get, "/api/v1/admin/campaigns/analytics?limit=2")
            #expect(first.body["data"]?.arrayValue?.count == 2)
            let cursor = try #require(first.body["next_cursor"]?.stringValue)
            let second = try await api.call(.get, "/api/v1/admin/campaigns/analytics?limit=2&cursor=\(cursor)")
            #expect(second.body["data"]?.arrayValue?.count == 1)
        }
    }
}
