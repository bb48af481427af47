import Database
import Foundation
import HTTPTypes
import Models
import ServiceKit
import Synchronization
import TestSupport
import Testing

@testable import Integrations

@Suite(.serialized) struct ChangeFeedTests {
    static func page(_ ids: ClosedRange<Int>, version: Int = 1, deleted: [String] = []) -> ContactPage {
        let contacts = ids.map { id in
            let fields = ContactFields(externalID: "\(id)", email: "c\(id)@example.org", firstName: "v\(version)")
            return SourceContact(fields: fields, raw: ["id": .string("\(id)")], payloadHash: "0\(version)")
        }
        return ContactPage(contacts: contacts, deleted: deleted, next: ["phase": "changes"], isLast: false, completesFullPass: false)
    }

    /// An integration with a run that is claimed.
    static func claimedRun(_ stack: TestStack) async throws -> SyncRun {
        _ = try await stack.connect(["provider": "hubspot", "config": ["access_token": "pat-1234567"]])
        return try #require(try await stack.assembly.syncs.claim(1, owner: "test").first)
    }

    @Test func onlyWhatChangedIsInTheFeed() async throws {
        try await withIntegrations { stack in
            let run = try await Self.claimedRun(stack)
            let syncs = stack.assembly.syncs
            #expect(try await syncs.apply(Self.page(1...5), of: run) == .init(created: 5))
            #expect(try await syncs.apply(Self.page(1...5), of: run) == .init())
            #expect(try await syncs.apply(Self.page(4...6, version: 2), of: run) == .init(created: 1, updated: 2))
            #expect(try await syncs.apply(Self.page(6...6, version: 2, deleted: ["1", "99"]), of: run) == .init(deleted: 1))
            #expect(try await syncs.apply(Self.page(1...1), of: run) == .init(updated: 1))
            let feed = try await ChangeFeedStore(database: stack.database.runtime).page(after: 0, limit: 100, in: TestStack.organization)
            #expect(feed.head == 10)
            #expect(feed.changes.map(\.position) == Array(1...10))
            #expect(feed.changes[8].operation == .delete)
            #expect(feed.changes[8].contact == nil)
            #expect(feed.changes[9].recordID == feed.changes[8].recordID)
            #expect(feed.changes[5].contact?.firstName == "v2")
        }
    }

    @Test func aContactGivenTwiceInAPageIsTakenOnce() async throws {
        try await withIntegrations { stack in
            let run = try await Self.claimedRun(stack)
            var page = Self.page(1...2)
            page.contacts += Self.page(2...2, version: 2).contacts
            #expect(try await stack.assembly.syncs.apply(page, of: run) == .init(created: 2))
        }
    }

    @Test func theFeedIsServedToCampaignsOnly() async throws {
        try await withIntegrations { stack in
            let run = try await Self.claimedRun(stack)
            _ = try await stack.assembly.syncs.apply(Self.page(1...3), of: run)
            let page: ChangePage = try await stack.campaigns.call(
                .readChanges,
                query: [("organization_id", "7"), ("after", "1"), ("limit", "1")],
                isIdempotent: true
            )
            #expect(page.changes.map(\.position) == [2])
            #expect(page.head == 3)
            let heads: ChangeHeads = try await stack.campaigns.call(
                .readChangeHeads,
                query: [("after_organization", "0")],
                isIdempotent: true
            )
            #expect(heads.heads == [.init(organizationID: TestStack.organization, position: 3)])
            let empty: ChangePage = try await stack.campaigns.call(.readChanges, query: [("organization_id", "8")], isIdempotent: true)
            #expect(empty == ChangePage(changes: [], head: 0))
            let path = "/internal/changes?organization_id=7"
            #expect(try await stack.call(.get, path).status == 403)
        }
    }

    /// One writer has taken its positions and not committed yet; a second one comes. A reader that follows the feed must not see the second's
    /// changes before the first's.
    @Test func aLateCommitIsNeverSkipped() async throws {
        try await withIntegrations { stack in
            let late = try await Self.claimedRun(stack)
            let second = try await Self.claimedRun(stack)
            let owner = stack.database.owner
            // The late one's page waits at its very end for a lock that the test holds.
            for statement in [
                """
                CREATE FUNCTION wait_for_test() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN NEW; END $$
                """,
                "GRANT EXECUTE ON FUNCTION wait_for_test() TO integrations",
                """
                CREATE TRIGGER wait_for_test AFTER UPDATE ON sync_runs FOR EACH ROW
                WHEN (NEW.pages > 0 AND NEW.cause = 'connected' AND NEW.owner = 'late') EXECUTE FUNCTION wait_for_test()
                """,
            ] as [Query] {
                try await owner.write(statement)
            }
            try await owner.write("UPDATE sync_runs SET owner = 'late' WHERE id = \(late.id)")
            let gate = DispatchSemaphore(value: 0)
            let feed = ChangeFeedStore(database: stack.database.runtime)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await owner.transaction { transaction in
                        try transaction.write("SELECT pg_advisory_xact_lock(4711)")
                        gate.wait()
                    }
                }
                try await eventually { try await Self.locks(owner, granted: true) == 1 }
                group.addTask { _ = try await stack.assembly.syncs.apply(Self.page(1...3), of: late) }
                try await eventually { try await Self.locks(owner, granted: false) == 1 }
                group.addTask { _ = try await stack.assembly.syncs.apply(Self.page(1...4), of: second) }
                try await eventually { try await Self.waiting(owner) == 2 }
                #expect(try await feed.page(after: 0, limit: 100, in: TestStack.organization).changes.isEmpty)
                gate.signal()
                try await group.waitForAll()
            }
            let page = try await feed.page(after: 0, limit: 100, in: TestStack.organization)
            #expect(page.changes.map(\.position) == Array(1...7))
            #expect(
                page.changes.map(\.integrationID) == Array(repeating: late.integrationID, count: 3)
                    + Array(repeating: second.integrationID, count: 4)
            )
        }
    }

    private static func locks(_ owner: Postgres, granted: Bool) async throws -> Int {
        try await owner.readFirst(
            """
            SELECT count(*) FROM pg_locks AS held JOIN pg_database AS base ON base.oid = held.database
            WHERE held.locktype = 'advisory' AND held.objid = 4711 AND held.granted = \(granted)::boolean AND base.datname = current_database()
            """,
            as: Int.self
        ) ?? 0
    }

    private static func waiting(_ owner: Postgres) async throws -> Int {
        try await owner.readFirst(
            """
            SELECT count(DISTINCT waiting.pid) FROM pg_locks AS waiting
            WHERE NOT waiting.granted AND waiting.pid IN (SELECT pid FROM pg_stat_activity WHERE datname = current_database())
            """,
            as: Int.self
        ) ?? 0
    }

    /// Two replicas write at random, a reader follows: it sees every position once, in order.
    @Test func twoReplicasNeverMakeAReaderSkip() async throws {
        try await withIntegrations { stack in
            let replica = Postgres(TestDatabase.configuration(.integrations, stack.database.urls.runtime), logger: TestLog.quiet)
            let feed = ChangeFeedStore(database: stack.database.runtime)
            let runs = try await [Self.claimedRun(stack), Self.claimedRun(stack), Self.claimedRun(stack)]
            let first = stack.assembly.syncs
            let other = SyncStore(database: replica, outbox: first.outbox, wakeChannel: first.wakeChannel, lease: first.lease)
            let expected = Int64(3 * 20 * 10)
            let positions = try await withThrowingTaskGroup(of: [Int64].self) { group in
                group.addTask {
                    try await replica.run()
                    return []
                }
                for (index, run) in runs.enumerated() {
                    group.addTask {
                        for version in 0..<20 {
                            let syncs = (version + index).isMultiple(of: 2) ? first : other
                            let page = Self.page(1...10, version: version % 2)
                            if try await syncs.apply(page, of: run)?.hasChanges != true { throw TestFailure("the page had no changes") }
                        }
                        return []
                    }
                }
                group.addTask {
                    var seen: [Int64] = []
                    while seen.last ?? 0 < expected {
                        seen += try await feed.page(after: seen.last ?? 0, limit: 7, in: TestStack.organization).changes.map(\.position)
                    }
                    return seen
                }
                defer { group.cancelAll() }
                while let seen = try await group.next() { if !seen.isEmpty { return seen } }
                return []
            }
            #expect(positions == Array(1...expected))
        }
    }
}
