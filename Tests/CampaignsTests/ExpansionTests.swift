import Database
import Foundation
import Models
import Testing

@testable import Campaigns

@Suite struct ExpansionTests {
    @Test func everyContactGetsOneMessageHoweverManyExpandersWork() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 230)
            let campaign = try await harness.makeCampaign()
            try await harness.move(campaign, .send)
            let expansion = harness.expansion(chunk: 50)
            let first = try #require(try await expansion.claim(10).first)
            #expect(try await expansion.claim(10).isEmpty)
            #expect(try await expansion.expandChunk(first) == .more)
            try await harness.endAllLeases()
            let second = try #require(try await expansion.claim(10).first)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for preparation in [first, second, second] { group.addTask { try await harness.expander(chunk: 50).expand(preparation) } }
                try await group.waitForAll()
            }
            let counts = try await harness.counts(campaign)
            #expect(counts.total == 230)
            #expect(counts.pending == 230)
            #expect(try await harness.status(campaign) == .sending)
            let events = try await harness.events(.campaignStarted)
            #expect(events.count == 1)
            #expect(events.first?["data"]?["recipients"] == 230)
        }
    }

    @Test func aMailboxGetsOneMessageAndWhoeverIsLeftOutIsListed() async throws {
        try await withHarness { harness in
            try await harness.addContacts(["a@x.example", "b@x.example", nil, "no address", "A@X.example"])
            try await harness.addContacts(["b@x.example"])
            let campaign = try await harness.makeCampaign()
            try await harness.move(campaign, .send)
            for preparation in try await harness.expansion().claim(1) { try await harness.expander(chunk: 2).expand(preparation) }
            let messages = try await MessageStore(database: harness.database).list(PageRequest(), of: campaign, state: nil)
            #expect(
                messages.reversed().map { $0.reason ?? $0.state.rawValue } == [
                    "pending", "pending", "no_address", "invalid_address", "duplicate_address", "duplicate_address",
                ]
            )
        }
    }

    @Test func keysOfTheDatabaseAreTheKeysOfSwift() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 3)
            let campaign = try await harness.startCampaign()
            let salt: UUID = try #require(try await harness.database.readFirst("SELECT send_salt FROM campaigns WHERE id = \(campaign.id)"))
            for message in try await MessageStore(database: harness.database).list(PageRequest(), of: campaign, state: nil) {
                let key = try SendKey.make(salt: salt, campaign: campaign, contact: message.contactID, attemptGroup: 1)
                #expect(message.sendKey == key)
            }
        }
    }

    @Test func aPauseStopsTheExpansionAndAResumeGoesOn() async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: 100)
            let campaign = try await harness.makeCampaign()
            try await harness.move(campaign, .send)
            let expansion = harness.expansion(chunk: 30)
            let preparation = try #require(try await expansion.claim(1).first)
            #expect(try await expansion.expandChunk(preparation) == .more)
            try await harness.move(campaign, .pause)
            #expect(try await expansion.expandChunk(preparation) == .lost)
            #expect(try await expansion.claim(1).isEmpty)
            try await harness.move(campaign, .resume)
            #expect(try await harness.status(campaign) == .preparing)
            let next = try #require(try await expansion.claim(1).first)
            try await harness.expander(chunk: 30).expand(next)
            #expect(try await harness.counts(campaign).pending == 100)
        }
    }

    @Test func aScheduleStartsWhenItIsDue() async throws {
        try await withHarness { harness in
            let campaign = try await harness.makeCampaign()
            func schedule(_ date: Date) async throws {
                _ = try await harness.database.transaction {
                    try harness.campaigns.move(campaign.id, .schedule, scheduledAt: date, in: campaign.organization, $0)
                }
            }
            try await schedule(Date(timeIntervalSinceNow: 3600))
            #expect(try await harness.expansion().claim(10).isEmpty)
            try await schedule(Date(timeIntervalSinceNow: -1))
            #expect(try await harness.expansion().claim(10).map(\.campaign) == [campaign])
            #expect(try await harness.status(campaign) == .preparing)
        }
    }

    @Test func anEmptyAudienceIsSentAtOnce() async throws {
        try await withHarness { harness in
            let campaign = try await harness.startCampaign()
            #expect(try await harness.status(campaign) == .sent)
            #expect(try await harness.events(.campaignSent).count == 1)
        }
    }
}
