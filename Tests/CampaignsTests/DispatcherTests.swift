import HTTPTypes
import Models
import ServiceKit
import Testing

@testable import Campaigns

@Suite struct DispatcherTests {
    /// A started campaign to so many contacts, and a dispatcher that speaks to the fake.
    private func withDispatcher(
        contacts: Int = 10,
        policy: InDoubtPolicy = .hold,
        _ fake: FakeIntegrations,
        _ body: @escaping @Sendable (Harness, Dispatcher, CampaignKey) async throws -> Void
    ) async throws {
        try await withHarness { harness in
            try await harness.addContacts(count: contacts)
            let campaign = try await harness.startCampaign(policy: policy)
            try await fake.run { client in try await body(harness, harness.dispatcher(client), campaign) }
        }
    }

    private func sendNext(_ harness: Harness, _ dispatcher: Dispatcher) async throws {
        try await dispatcher.send(try #require(try await harness.claims().claim()))
    }

    @Test func everyMessageIsSentRenderedAndTheCampaignEnds() async throws {
        let fake = FakeIntegrations { batch, _ in
            .init(
                outcomes: batch.messages.map { SendOutcome(sendKey: $0.sendKey, outcome: .accepted, providerMessageID: "m-\($0.sendKey)") }
            )
        }
        try await self.withDispatcher(fake) { harness, dispatcher, campaign in
            try await self.sendNext(harness, dispatcher)
            #expect(try await harness.status(campaign) == .sent)
            #expect(try await harness.counts(campaign).accepted == 10)
            #expect(try await harness.events(.campaignSent).count == 1)
            let post = try #require(fake.posts.first)
            #expect(post.organizationID == 11)
            #expect(post.integrationID == 5)
            #expect(Set(post.messages.map(\.text)) == Set((1...10).map { "Hello P\($0)" }))
            let listed = try await MessageStore(database: harness.database).list(PageRequest(), of: campaign, state: .accepted)
            #expect(listed.allSatisfy { $0.providerMessageID == "m-\($0.sendKey)" })
        }
    }

    @Test func aBrokenStreamIsAskedAgainForTheRestUnderTheSameKeys() async throws {
        let fake = FakeIntegrations { batch, post in
            let outcomes = FakeIntegrations.outcomes(batch, .accepted)
            return post == 1 ? .init(outcomes: Array(outcomes.prefix(4)), breaks: true) : .init(outcomes: outcomes)
        }
        try await self.withDispatcher(fake) { harness, dispatcher, campaign in
            try await self.sendNext(harness, dispatcher)
            #expect(try await harness.counts(campaign).accepted == 10)
            #expect(fake.posts.count == 2)
            #expect(fake.posts[1].messages.count == 6)
            #expect(Set(fake.posts[0].messages.map(\.sendKey)).isSuperset(of: fake.posts[1].messages.map(\.sendKey)))
        }
    }

    @Test func whatStaysUnansweredIsHandedBackAndAskedForAgain() async throws {
        let fake = FakeIntegrations { batch, post in post <= 3 ? .init() : .init(outcomes: FakeIntegrations.outcomes(batch, .accepted)) }
        try await self.withDispatcher(fake) { harness, dispatcher, campaign in
            try await self.sendNext(harness, dispatcher)
            #expect(try await harness.counts(campaign).pending == 10)
            try await harness.age(by: 60)
            try await self.sendNext(harness, dispatcher)
            #expect(try await harness.counts(campaign).accepted == 10)
            #expect(Set(fake.posts.flatMap { $0.messages.map(\.sendKey) }).count == 10)
        }
    }

    @Test func repeatedLinesCountOnce() async throws {
        let fake = FakeIntegrations { batch, _ in
            .init(outcomes: FakeIntegrations.outcomes(batch, .accepted) + FakeIntegrations.outcomes(batch, .rejected))
        }
        try await self.withDispatcher(fake) { harness, dispatcher, campaign in
            try await self.sendNext(harness, dispatcher)
            #expect(try await harness.counts(campaign).accepted == 10)
        }
    }

    @Test func whatWasNotSentIsTriedAgainAndThenFails() async throws {
        let fake = FakeIntegrations { batch, _ in
            .init(
                outcomes: batch.messages.enumerated().map { index, message in
                    SendOutcome(sendKey: message.sendKey, outcome: index == 0 ? .notSent : .accepted, reason: "http_429", retryAfter: 30)
                }
            )
        }
        try await self.withDispatcher(contacts: 2, fake) { harness, dispatcher, campaign in
            try await self.sendNext(harness, dispatcher)
            #expect(try await harness.counts(campaign).pending == 1)
            for _ in 1...2 {
                #expect(try await harness.claims().claim() == nil)
                try await harness.age(by: 3600)
                try await self.sendNext(harness, dispatcher)
            }
            let counts = try await harness.counts(campaign)
            #expect(counts.accepted == 1)
            #expect(counts.failed == 1)
            #expect(fake.posts.count == 3)
            let failed = try await MessageStore(database: harness.database).list(PageRequest(), of: campaign, state: .failed)
            #expect(failed.map(\.reason) == ["http_429"])
            #expect(failed.map(\.attempts) == [3])
        }
    }

    @Test func whatIsInFlightElsewhereIsAskedForAgain() async throws {
        let fake = FakeIntegrations { batch, post in
            post == 1
                ? .init(outcomes: batch.messages.map { SendOutcome(sendKey: $0.sendKey, outcome: .inFlight, retryAfter: 0.01) })
                : .init(outcomes: FakeIntegrations.outcomes(batch, .accepted))
        }
        try await self.withDispatcher(fake) { harness, dispatcher, campaign in
            try await self.sendNext(harness, dispatcher)
            #expect(try await harness.counts(campaign).accepted == 10)
            #expect(fake.posts.count == 2)
        }
    }

    @Test func aDoubtIsShownAndCorrectedLaterWithoutASecondEvent() async throws {
        let fake = FakeIntegrations { batch, post in
            .init(outcomes: FakeIntegrations.outcomes(batch, post <= 2 ? .inDoubt : .accepted))
        }
        try await self.withDispatcher(contacts: 3, fake) { harness, dispatcher, campaign in
            try await self.sendNext(harness, dispatcher)
            #expect(try await harness.counts(campaign).inDoubt == 3)
            #expect(try await harness.status(campaign) == .sent)
            for round in 1...2 {
                try await harness.age(by: 3600)
                try await dispatcher.send(try #require(try await harness.claims().claimDoubts(limit: 10)))
                #expect(try await harness.counts(campaign).accepted == (round == 1 ? 0 : 3))
            }
            #expect(Set(fake.posts.flatMap { $0.messages.map(\.sendKey) }).count == 3)
            #expect(try await harness.events(.campaignSent).count == 1)
        }
    }

    @Test func aRefusedBatchGoesBackAndTheCampaignIsPausedWithTheReason() async throws {
        let fake = FakeIntegrations { _, _ in .init(status: .notFound, detail: "There is no such resource.") }
        try await self.withDispatcher(fake) { harness, dispatcher, campaign in
            for _ in 1...2 {
                try await self.sendNext(harness, dispatcher)
                #expect(try await harness.counts(campaign).pending == 10)
                try await harness.age(by: 3600)
            }
            let paused = try await harness.campaigns.find(campaign.id, in: campaign.organization)
            #expect(paused?.status == .paused)
            #expect(paused?.statusReason?.contains("There is no such resource.") == true)
        }
    }

    @Test func aPausedIntegrationPausesTheCampaignAndCostsNoAttempt() async throws {
        let fake = FakeIntegrations { batch, _ in
            .init(
                outcomes: batch.messages.map {
                    SendOutcome(sendKey: $0.sendKey, outcome: .notSent, reason: "integration_paused", retryAfter: 60)
                }
            )
        }
        try await self.withDispatcher(fake) { harness, dispatcher, campaign in
            for _ in 1...2 {
                try await self.sendNext(harness, dispatcher)
                try await harness.age(by: 3600)
            }
            let paused = try await harness.campaigns.find(campaign.id, in: campaign.organization)
            #expect(paused?.status == .paused)
            #expect(paused?.statusReason?.contains("integration_paused") == true)
            let messages = try await MessageStore(database: harness.database).list(PageRequest(), of: campaign, state: .pending)
            #expect(messages.map(\.attempts) == Array(repeating: 0, count: 10))
        }
    }

    @Test func anUnavailablePeerCostsNothingButTime() async throws {
        let fake = FakeIntegrations { batch, post in
            post == 1 ? .init(status: .serviceUnavailable) : .init(outcomes: FakeIntegrations.outcomes(batch, .accepted))
        }
        try await self.withDispatcher(fake) { harness, dispatcher, campaign in
            try await self.sendNext(harness, dispatcher)
            #expect(try await harness.status(campaign) == .sending)
            #expect(try await harness.claims().claim() == nil)
            try await harness.age(by: 60)
            try await self.sendNext(harness, dispatcher)
            #expect(try await harness.counts(campaign).accepted == 10)
            #expect(try await harness.status(campaign) == .sent)
        }
    }

    @Test func aWorkerThatVanishesAfterItsClaimLosesNothing() async throws {
        let fake = FakeIntegrations { batch, _ in .init(outcomes: FakeIntegrations.outcomes(batch, .accepted)) }
        try await self.withDispatcher(fake) { harness, dispatcher, campaign in
            let lost = try #require(try await harness.claims().claim())
            #expect(try await harness.claims().claim() == nil)
            try await harness.endAllLeases()
            #expect(try await harness.housekeeping.endLeases() == 10)
            try await self.sendNext(harness, dispatcher)
            #expect(try await harness.counts(campaign).accepted == 10)
            #expect(Set(fake.posts[0].messages.map(\.sendKey)) == Set(lost.messages.map(\.sendKey)))
        }
    }

    @Test func aContactThatWasDeletedMeanwhileIsNotWrittenTo() async throws {
        let fake = FakeIntegrations { batch, _ in .init(outcomes: FakeIntegrations.outcomes(batch, .accepted)) }
        try await self.withDispatcher(contacts: 2, fake) { harness, dispatcher, campaign in
            let gone = RecordChange(position: 3, recordID: 1, integrationID: 3, kind: .contact, operation: .delete, contact: nil)
            _ = try await harness.feed.apply(FeedPage([gone]), of: harness.organization, from: 2, to: 3)
            try await self.sendNext(harness, dispatcher)
            #expect(fake.posts.map(\.messages.count) == [1])
            let skipped = try await MessageStore(database: harness.database).list(PageRequest(), of: campaign, state: .skipped)
            #expect(skipped.map(\.reason) == ["contact_deleted"])
            #expect(try await harness.status(campaign) == .sent)
        }
    }
}
