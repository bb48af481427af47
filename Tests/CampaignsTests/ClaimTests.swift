import Models
import Testing

@testable import Campaigns

@Suite struct ClaimTests {
    @Test func claimsOfManyWorkersNeverOverlap() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 200)
            _ = try await harness.startCampaign()
            let keys = try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 1...8 {
                    group.addTask {
                        var keys: [String] = []
                        while let batch = try await harness.claims(limit: 13).claim() { keys += batch.messages.map(\.sendKey) }
                        return keys
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(keys.count == 200)
            #expect(Set(keys).count == 200)
        }
    }

    @Test func aStaleClaimCannotWrite() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 5)
            let campaign = try await harness.startCampaign()
            let stale = try #require(try await harness.claims().claim())
            try await harness.endAllLeases()
            #expect(try await harness.housekeeping.endLeases() == 5)
            let fresh = try #require(try await harness.claims().claim())
            #expect(Set(fresh.messages.map(\.sendKey)) == Set(stale.messages.map(\.sendKey)))
            let late = stale.messages.map { settlement($0, .failed) }
            #expect(try await harness.settlements.apply(late, to: campaign, from: .claimed) == 0)
            try await harness.settlements.release(stale, after: 0, asked: false)
            #expect(try await harness.counts(campaign).claimed == 5)
            let now = fresh.messages.map { settlement($0, .accepted) }
            #expect(try await harness.settlements.apply(now, to: campaign, from: .claimed) == 5)
            #expect(try await harness.counts(campaign).accepted == 5)
        }
    }

    @Test func aPauseStopsClaimsAndAResumeAllowsThem() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 3)
            let campaign = try await harness.startCampaign()
            try await harness.move(campaign, .pause)
            #expect(try await harness.claims().claim() == nil)
            try await harness.move(campaign, .resume)
            #expect(try await harness.claims().claim()?.messages.count == 3)
        }
    }

    @Test func organizationsTakeTurnsAndThenTheirCampaigns() async throws {
        try await withHarness { harness in
            for organization: OrganizationID in [11, 12] { try await harness.addContacts(count: 20, in: organization) }
            let crowd = [
                try await harness.startCampaign(in: 11), try await harness.startCampaign(in: 11), try await harness.startCampaign(in: 11),
            ]
            let lone = try await harness.startCampaign(in: 12)
            var turns: [CampaignKey] = []
            for _ in 1...6 { turns.append(try #require(try await harness.claims(limit: 2).claim()).campaign) }
            #expect(turns.filter { $0 == lone }.count == 3)
            #expect(Set(turns).isSuperset(of: crowd))
        }
    }

    @Test func whatIsNotDueIsNotClaimed() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 2)
            let campaign = try await harness.startCampaign()
            let batch = try #require(try await harness.claims().claim())
            var later = settlement(batch.messages[0], .pending)
            later.delay = 60
            later.isTry = true
            #expect(try await harness.settlements.apply([later], to: campaign, from: .claimed) == 1)
            #expect(try await harness.claims().claim() == nil)
            try await harness.age(by: 61)
            let again = try #require(try await harness.claims().claim())
            #expect(again.messages.map(\.attempts) == [1])
            #expect(again.messages.map(\.sendKey) == [batch.messages[0].sendKey])
        }
    }

    @Test func aCampaignOnHoldIsLeftAlone() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 2)
            let campaign = try await harness.startCampaign()
            try await harness.settlements.hold(campaign, for: 30)
            #expect(try await harness.claims().claim() == nil)
            try await harness.age(by: 31)
            #expect(try await harness.claims().claim() != nil)
        }
    }

    @Test func repeatedRefusalsPauseTheCampaignWithTheReason() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 1)
            let campaign = try await harness.startCampaign()
            for round in 1...3 {
                // Batches that are refused side by side count once.
                for _ in 1...4 { try await harness.settlements.refuse(campaign, reason: "no such integration", limit: 3) }
                #expect(try await harness.status(campaign) == (round < 3 ? .sending : .paused))
                try await harness.age(by: 1000)
            }
            let paused = try await harness.campaigns.find(campaign.id, in: campaign.organization)
            #expect(paused?.statusReason == "no such integration")
            try await harness.move(campaign, .resume)
            let resumed = try await harness.campaigns.find(campaign.id, in: campaign.organization)
            #expect(resumed?.status == .sending)
            #expect(resumed?.statusReason == nil)
        }
    }
}
