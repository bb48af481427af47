import Database
import HTTPTypes
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Integrations

@Suite(.serialized) struct OutboundStoreTests {
    private static let claim = OutboundStore.Claim(
        organizationID: TestStack.organization,
        integrationID: IntegrationID(rawValue: 1),
        provider: "smtp",
        owner: "one"
    )

    private static func expire(_ stack: TestStack) async throws {
        try await stack.database.owner.write("UPDATE outbound_messages SET lease_until = now() - interval '1 second'")
    }

    private static func states(_ stack: TestStack) async throws -> [String] {
        try await stack.database.owner.read("SELECT state FROM outbound_messages ORDER BY send_key", as: String.self)
    }

    @Test func aKeyHasOneHolder() async throws {
        try await withIntegrations { stack in
            let store = stack.assembly.outbound
            let first = try await store.claim(["a", "b"], for: Self.claim)
            #expect(first.held.map(\.fence) == [1, 1])
            let second = try await store.claim(["b", "c"], for: Self.claim)
            #expect(second.held.map(\.sendKey) == ["c"])
            #expect(second.known.map(\.state) == [.queued])
            #expect(second.known.first?.inFlight.outcome == .inFlight)
        }
    }

    @Test func aStaleHolderNeverBegins() async throws {
        try await withIntegrations { stack in
            let store = stack.assembly.outbound
            let stale = try #require(try await store.claim(["a"], for: Self.claim).held.first)
            try await Self.expire(stack)
            let fresh = try #require(try await store.claim(["a"], for: Self.claim).held.first)
            #expect(fresh.fence == stale.fence + 1)
            #expect(try await store.begin([stale]) == [false])
            #expect(try await store.begin([fresh]) == [true])
            #expect(try await store.begin([fresh]) == [false])
            try await store.settle([.init(key: stale, result: SendResult(.rejected))])
            #expect(try await Self.states(stack) == ["begun"])
        }
    }

    @Test func whatBeganIsNeverClaimedAgainButDoubted() async throws {
        try await withIntegrations { stack in
            let store = stack.assembly.outbound
            let held = try await store.claim(["a", "b"], for: Self.claim).held
            _ = try await store.begin(held)
            #expect(try await store.claim(["a"], for: Self.claim).known.map(\.state) == [.begun])
            try await Self.expire(stack)
            let seen = try await store.claim(["a"], for: Self.claim)
            #expect(seen.held.isEmpty)
            #expect(seen.known.first?.settled?.outcome == .inDoubt)
            #expect(try await Self.states(stack) == ["in_doubt", "begun"])
            #expect(try await store.doubtExpired(limit: 10) == 1)
            #expect(try await Self.states(stack) == ["in_doubt", "in_doubt"])
        }
    }

    @Test(arguments: [
        (SendResult.Outcome.accepted, "accepted"), (.rejected, "rejected"), (.notSent, "not_sent"), (.inDoubt, "in_doubt"),
    ])
    func aLateSettleCorrectsDoubt(_ outcome: SendResult.Outcome, _ state: String) async throws {
        try await withIntegrations { stack in
            let store = stack.assembly.outbound
            let held = try await store.claim(["a"], for: Self.claim).held
            _ = try await store.begin(held)
            try await Self.expire(stack)
            _ = try await store.doubtExpired(limit: 10)
            try await store.settle([.init(key: held[0], result: SendResult(outcome))])
            #expect(try await Self.states(stack) == [state])
            let again = try await store.claim(["a"], for: Self.claim)
            #expect(again.held.count == (outcome == .notSent ? 1 : 0))
        }
    }

    @Test(arguments: [SendResult.Outcome.accepted, .rejected])
    func whatIsSettledForGoodStaysSo(_ outcome: SendResult.Outcome) async throws {
        try await withIntegrations { stack in
            let store = stack.assembly.outbound
            let held = try await store.claim(["a"], for: Self.claim).held
            _ = try await store.begin(held)
            try await store.settle([.init(key: held[0], result: SendResult(outcome, providerMessageID: "m"))])
            try await store.settle([.init(key: held[0], result: SendResult(.inDoubt))])
            try await Self.expire(stack)
            #expect(try await store.doubtExpired(limit: 10) == 0)
            let known = try await store.claim(["a"], for: Self.claim).known
            #expect(known.first?.settled?.outcome.rawValue == outcome.rawValue)
            #expect(known.first?.providerMessageID == "m")
        }
    }

    @Test func whatIsHandedBackIsFreeAtOnce() async throws {
        try await withIntegrations { stack in
            let store = stack.assembly.outbound
            let held = try await store.claim(["a", "b"], for: Self.claim).held
            _ = try await store.begin([held[0]])
            try await store.release(held)
            let again = try await store.claim(["a", "b"], for: Self.claim)
            #expect(again.held.map(\.sendKey) == [held[1].sendKey])
        }
    }

    @Test func anotherOrganizationsKeysAreItsOwn() async throws {
        try await withIntegrations { stack in
            let store = stack.assembly.outbound
            _ = try await store.claim(["a"], for: Self.claim)
            let foreign = OutboundStore.Claim(
                organizationID: TestStack.other,
                integrationID: IntegrationID(rawValue: 1),
                provider: "smtp",
                owner: "two"
            )
            #expect(try await store.claim(["a"], for: foreign).held.count == 1)
        }
    }
}
