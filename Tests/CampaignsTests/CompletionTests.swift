import Models
import Testing

@testable import Campaigns

@Suite struct CompletionTests {
    @Test func aCampaignIsSentOnceWithItsEvent() async throws {
        try await withHarness { harness in
            try await harness.addContacts(["a@x.example", "b@x.example", "c@x.example", nil])
            let campaign = try await harness.startCampaign()
            let batch = try #require(try await harness.claims().claim())
            #expect(try await harness.completion.complete(campaign) == false)
            let settlements = zip(batch.messages, [MessageState.accepted, .failed, .inDoubt]).map(settlement)
            _ = try await harness.settlements.apply(settlements, to: campaign, from: .claimed)
            let ended = try await withThrowingTaskGroup(of: Bool.self) { group in
                for _ in 1...6 { group.addTask { try await harness.completion.complete(campaign) } }
                return try await group.reduce(into: 0) { $0 += $1 ? 1 : 0 }
            }
            #expect(ended == 1)
            let events = try await harness.events(.campaignSent)
            #expect(events.count == 1)
            #expect(events.first?["data"]?["campaign_id"]?.integerValue == campaign.id.rawValue)
            #expect(events.first?["data"]?["name"] == "Spring")
            let notices = try await harness.notices()
            #expect(notices.map { $0["kind"] } == ["campaign_in_doubt"])
            #expect(notices.first?["title"] == "The campaign “Spring” ended with messages in doubt")
            #expect(events.first?["data"]?["counts"] == ["total": 4, "accepted": 1, "failed": 1, "in_doubt": 1, "skipped": 1])
        }
    }

    @Test(arguments: [
        ([MessageState.failed, .failed], "campaign_failed"), ([.failed, .inDoubt], "campaign_failed"), ([.accepted, .failed], nil),
        ([.accepted, .accepted], nil),
    ])
    func membersAreToldOfCampaignsThatReachedNobody(_ states: [MessageState], _ kind: String?) async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 2)
            let campaign = try await harness.startCampaign()
            let batch = try #require(try await harness.claims().claim())
            _ = try await harness.settlements.apply(zip(batch.messages, states).map(settlement), to: campaign, from: .claimed)
            #expect(try await harness.completion.complete(campaign))
            #expect(try await harness.notices().map { $0["kind"]?.stringValue ?? "" } == (kind.map { [$0] } ?? []))
        }
    }

    @Test func aCampaignWhoseWorkerDiedBeforeTheEndIsFoundAndEnded() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 1)
            let campaign = try await harness.startCampaign()
            #expect(try await harness.completion.completable(10).isEmpty)
            let batch = try #require(try await harness.claims().claim())
            _ = try await harness.settlements.apply(batch.messages.map { settlement($0, .accepted) }, to: campaign, from: .claimed)
            #expect(try await harness.completion.completable(10) == [campaign])
        }
    }

    @Test func whatIsCancelledIsNotSentAndWhatMayHaveBeenSentIsInDoubt() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 10)
            let campaign = try await harness.startCampaign()
            let unanswered = try #require(try await harness.claims(limit: 3).claim())
            try await harness.settlements.release(unanswered, after: 60, asked: true)
            let inHand = try #require(try await harness.claims(limit: 2).claim())
            try await harness.move(campaign, .cancel)
            #expect(try await harness.claims().claim() == nil)
            try await harness.housekeeping.sweepCancelled()
            var counts = try await harness.counts(campaign)
            #expect(counts.claimed == 2)
            #expect(counts.pending == 0)
            // The batch in hand still tells how it ended; what it hands back unsent is cancelled by the next sweep.
            _ = try await harness.settlements.apply(
                zip(inHand.messages, [MessageState.accepted, .pending]).map(settlement),
                to: campaign,
                from: .claimed
            )
            try await harness.housekeeping.sweepCancelled()
            counts = try await harness.counts(campaign)
            #expect(counts.accepted == 1)
            #expect(counts.inDoubt == 3)
            #expect(counts.cancelled == 6)
            #expect(try await harness.completion.complete(campaign) == false)
            #expect(try await harness.events(.campaignSent).isEmpty)
        }
    }

    @Test func underThePolicyResendADoubtIsSentAgainUnderANewKey() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 1)
            let campaign = try await harness.startCampaign(policy: .resend)
            let first = try #require(try await harness.claims().claim())
            _ = try await harness.settlements.apply([settlement(first.messages[0], .inDoubt)], to: campaign, from: .claimed)
            #expect(try await harness.completion.complete(campaign) == false)
            #expect(try await harness.housekeeping.resendDoubts(olderThan: .seconds(60)) == 0)
            try await harness.age(by: 61)
            #expect(try await harness.housekeeping.resendDoubts(olderThan: .seconds(60)) == 1)
            let second = try #require(try await harness.claims().claim())
            #expect(second.messages[0].sendKey != first.messages[0].sendKey)
            _ = try await harness.settlements.apply([settlement(second.messages[0], .accepted)], to: campaign, from: .claimed)
            #expect(try await harness.completion.complete(campaign))
        }
    }

    @Test func underThePolicyHoldADoubtStaysAndTheCampaignEnds() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 1)
            let campaign = try await harness.startCampaign(policy: .hold)
            let batch = try #require(try await harness.claims().claim())
            _ = try await harness.settlements.apply([settlement(batch.messages[0], .inDoubt)], to: campaign, from: .claimed)
            #expect(try await harness.completion.complete(campaign))
            try await harness.age(by: 100_000)
            #expect(try await harness.housekeeping.resendDoubts(olderThan: .seconds(60)) == 0)
            #expect(try await harness.counts(campaign).inDoubt == 1)
        }
    }

    @Test func aDoubtIsAskedAboutLessAndLessOften() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 1)
            let campaign = try await harness.startCampaign()
            let batch = try #require(try await harness.claims().claim())
            _ = try await harness.settlements.apply([settlement(batch.messages[0], .inDoubt)], to: campaign, from: .claimed)
            #expect(try await harness.claims().claimDoubts(limit: 10) == nil)
            var asked = 0
            for _ in 1...20 {
                try await harness.age(by: 3600)
                if try await harness.claims().claimDoubts(limit: 10) != nil { asked += 1 }
            }
            #expect(asked == DoubtSchedule.checkLimit)
        }
    }
}
