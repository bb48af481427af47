import Database
import Hummingbird
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Campaigns

@Suite struct FeedFollowerTests {
    /// Integrations' feed of organization 11: so many contacts in pages of at most 40, however large a page is asked for.
    private func withFeed(of count: Int64, _ body: @Sendable (ServiceClient) async throws -> Void) async throws {
        let router = Router()
        router.get("/internal/changes/heads") { _, _ in
            try Response.json(ChangeHeads(heads: [.init(organizationID: 11, position: count)]))
        }
        router.get("/internal/changes") { request, _ in
            let after = request.query("after").flatMap(Int64.init) ?? 0
            let positions = after < count ? Array((after + 1)...min(after + 40, count)) : []
            let changes = positions.map { position in
                RecordChange(
                    position: position,
                    recordID: RecordID(position),
                    integrationID: 3,
                    kind: .contact,
                    operation: .upsert,
                    contact: ContactFields(externalID: "e\(position)", email: "p\(position)@x.example")
                )
            }
            return try Response.json(ChangePage(changes: changes, head: count))
        }
        try await FakeIntegrations.serve(router, body)
    }

    private func follower(_ harness: Harness, _ client: ServiceClient) -> FeedFollower {
        FeedFollower(
            feed: harness.feed,
            integrations: client,
            backlog: FeedBacklog(),
            wake: WakeSignal("test_feed", database: harness.database),
            logger: TestLog.quiet
        )
    }

    @Test func twoFollowersBringEveryContactOnce() async throws {
        try await withHarness { harness in
            try await self.withFeed(of: 250) { client in
                #expect(try await self.follower(harness, client).organizationsBehind() == [11])
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for _ in 1...2 { group.addTask { try await self.follower(harness, client).follow(11) } }
                    try await group.waitForAll()
                }
                #expect(try await harness.feed.position(of: 11) == 250)
                let count: Int? = try await harness.database.readFirst("SELECT count(*) FROM contacts WHERE organization_id = 11")
                #expect(count == 250)
                #expect(try await self.follower(harness, client).organizationsBehind().isEmpty)
            }
        }
    }

    @Test func aFollowerGoesOnFromWhereTheLastOneStopped() async throws {
        try await withHarness { harness in
            try await self.withFeed(of: 100) { client in
                try await harness.addContacts(count: 60)
                try await self.follower(harness, client).follow(11)
                #expect(try await harness.feed.position(of: 11) == 100)
            }
        }
    }
}
