import Database
import Foundation
import HTTPTypes
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Integrations

@Suite(.serialized) struct HubSpotSyncTests {
    private static let past = Int64(Date().timeIntervalSince1970 * 1000) - 86_400_000

    private func withSync<T: Sendable>(
        contacts: Int,
        _ body: @escaping @Sendable (FakeHubSpot, TestStack, IntegrationID) async throws -> T
    ) async throws -> T {
        let fake = FakeHubSpot()
        fake.fill(contacts, modified: Self.past)
        return try await withServer(fake.router) { url in
            try await withIntegrations(.init(hubSpot: url)) { stack in
                let id = try await stack.connect(["provider": "hubspot", "config": ["access_token": .string(FakeHubSpot.token)]])
                return try await body(fake, stack, id)
            }
        }
    }

    private static func records(_ stack: TestStack, where condition: Bool = false) async throws -> Int {
        try await stack.database.owner.readFirst(
            "SELECT count(*) FROM records WHERE deleted = \(condition)::boolean",
            as: Int.self
        ) ?? -1
    }

    private static func head(_ stack: TestStack) async throws -> Int64 {
        try await ChangeFeedStore(database: stack.database.runtime).page(after: 0, limit: 1, in: TestStack.organization).head
    }

    @Test func everyContactIsReadOnceAndThenOnlyWhatChanged() async throws {
        try await self.withSync(contacts: 450) { fake, stack, id in
            try await stack.workSyncs()
            let first = try #require(try await stack.runs(of: id).first)
            #expect(first.state == .succeeded)
            #expect(first.mode == .full)
            #expect(first.counts.created == 450)
            #expect(try await Self.records(stack) == 450)
            #expect(try await Self.head(stack) == 450)
            #expect(try await stack.outbox("sync_completed").count == 1)
            // What is there already is read again and makes no change.
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            fake.change { state in
                for id in Int64(10)...12 { state.contacts[id]?.modified = now + id }
                state.contacts[10]?.firstName = "Grace"
                state.contacts[11]?.email = "new@example.org"
                state.contacts[13]?.isArchived = true
                state.contacts[900] = .init(id: 900, email: "late@example.org", modified: now)
            }
            _ = try await stack.call(.post, "/api/v1/integrations/\(id)/sync")
            try await stack.workSyncs()
            let second = try #require(try await stack.runs(of: id).first)
            #expect(second.state == .succeeded)
            #expect(second.mode == .incremental)
            #expect(second.counts.created == 1)
            #expect(second.counts.updated == 2)
            #expect(second.counts.deleted == 1)
            #expect(try await Self.records(stack, where: true) == 1)
            #expect(try await Self.head(stack) == 454)
            let shown = try await stack.call(.get, "/api/v1/integrations/\(id)/syncs", as: .viewer)
            #expect(shown.json["data"]?.arrayValue?.count == 2)
        }
    }

    @Test(arguments: [
        (FakeHubSpot.Fault.status(429, ["policyName": "TEN_SECONDLY_ROLLING"]), "rate_limit_TEN_SECONDLY_ROLLING"),
        (.status(500, ["message": "oops"]), "HubSpot answered 500: oops"), (.status(477, [:]), "migration"), (.cut, "HubSpot: "),
    ])
    func troubleMakesTheRunWaitAndGoOnAtItsPage(_ fault: FakeHubSpot.Fault, _ reason: String) async throws {
        try await self.withSync(contacts: 450) { fake, stack, id in
            fake.change { $0.faults[3] = fault }
            try await stack.workSyncs()
            let waiting = try #require(try await stack.runs(of: id).first)
            #expect(waiting.state == .waiting)
            #expect(waiting.waitReason?.hasPrefix(reason) == true)
            #expect(waiting.claimableAt > Date())
            #expect(try await Self.records(stack) == 200)
            try await stack.database.owner.write("UPDATE sync_runs SET claimable_at = now()")
            try await stack.workSyncs()
            #expect(try await stack.runs(of: id).first?.state == .succeeded)
            #expect(try await Self.records(stack) == 450)
            // Three pages and the repeat of the third, two more, and one of the archived.
            #expect(fake.change { $0.calls.count } == 7)
        }
    }

    @Test func anExpiredTokenAsksForAPersonOnce() async throws {
        try await self.withSync(contacts: 150) { fake, stack, id in
            fake.change { $0.token = "another" }
            try await stack.workSyncs()
            #expect(try await stack.runs(of: id).first?.state == .failed)
            let shown = try await stack.call(.get, "/api/v1/integrations/\(id)")
            #expect(shown.json["status"] == "needs_attention")
            #expect(try await stack.outbox("integration_failed").count == 1)
            #expect(try await stack.call(.post, "/api/v1/integrations/\(id)/sync").status == 409)
            try await stack.database.owner.write("UPDATE integrations SET next_sync_at = now()")
            try await stack.assembly.syncs.scheduleDue()
            #expect(try await stack.runs(of: id).count == 1)
        }
    }

    /// The worker dies in the middle of a page; another goes on from the last one, and the dead one's pen is dry.
    @Test func aKilledSyncGoesOnFromTheLastPage() async throws {
        try await self.withSync(contacts: 450) { fake, stack, id in
            fake.change { $0.faults[3] = .hang }
            let syncs = stack.assembly.syncs
            let claimed = try await syncs.claim(1, owner: "first")
            let run = try #require(claimed.first)
            let worker = stack.assembly.syncWorker
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await worker.work(run) }
                try await eventually { fake.change { $0.calls.count } == 3 }
                group.cancelAll()
                // A killed process releases nothing; here the cancelled task may have handed back: both must end the same way.
                while (await group.nextResult()) != nil {}
            }
            try await stack.database.owner.write("UPDATE sync_runs SET claimable_at = now()")
            #expect(try await Self.records(stack) == 200)
            let again = try #require(try await syncs.claim(1, owner: "second").first)
            #expect(again.fence == run.fence + 1)
            #expect(try await syncs.apply(ChangeFeedTests.page(900...901), of: run) == nil)
            #expect(try await Self.records(stack) == 200)
            try await worker.work(again)
            #expect(try await Self.records(stack) == 450)
            #expect(try await Self.head(stack) == 450)
            #expect(try await stack.runs(of: id).first?.counts.created == 450)
        }
    }

    @Test func contactsThatShareATimeAreAllRead() async throws {
        try await self.withSync(contacts: 5) { fake, stack, id in
            try await stack.workSyncs()
            let now = Int64(Date().timeIntervalSince1970 * 1000)
            fake.change { state in
                state.pageSize = 4
                for id in Int64(100)...125 { state.contacts[id] = .init(id: id, email: "t\(id)@example.org", modified: now) }
            }
            _ = try await stack.call(.post, "/api/v1/integrations/\(id)/sync")
            try await stack.workSyncs()
            #expect(try await Self.records(stack) == 31)
        }
    }

    @Test func aDueIntegrationIsSyncedOnce() async throws {
        try await self.withSync(contacts: 5) { _, stack, id in
            try await stack.workSyncs()
            try await stack.database.owner.write("UPDATE integrations SET next_sync_at = now() - interval '1 second'")
            try await stack.assembly.syncs.scheduleDue()
            try await stack.assembly.syncs.scheduleDue()
            #expect(try await stack.runs(of: id).map(\.cause) == [.schedule, .connected])
            #expect(try await stack.runs(of: id).first?.mode == .incremental)
        }
    }

    @Test func aPauseStopsARunningSync() async throws {
        try await self.withSync(contacts: 5) { _, stack, id in
            let run = try #require(try await stack.assembly.syncs.claim(1, owner: "test").first)
            _ = try await stack.call(.patch, "/api/v1/integrations/\(id)", ["status": "paused"])
            try await stack.assembly.syncWorker.work(run)
            #expect(try await Self.records(stack) == 0)
            #expect(try await stack.runs(of: id).first?.state == .cancelled)
            #expect(try await stack.outbox("sync_completed").isEmpty)
        }
    }
}
