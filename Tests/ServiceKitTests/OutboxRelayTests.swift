import Database
import HTTPTypes
import Hummingbird
import Models
import ServiceLifecycle
import TestSupport
import Testing

@testable import ServiceKit

@Suite struct OutboxRelayTests {
    private struct Setting: Sendable {
        let database: TestDatabase
        let outbox: Outbox
        let relay: OutboxRelay
        let server: TestServer

        @discardableResult
        func append(_ number: Int64) async throws -> String {
            try await self.database.runtime.transaction { transaction in
                try self.outbox.append(.campaignSent, ["number": .integer(number)], for: OrganizationID(7), in: transaction)
            }
        }

        var pending: Int {
            get async throws {
                try await self.database.runtime.readFirst("SELECT count(*) AS n FROM outbox WHERE state = 'pending'", as: Int.self) ?? -1
            }
        }
    }

    private func withRelay(
        _ take: @escaping @Sendable (EventBatch) throws -> Void,
        _ body: @escaping @Sendable (Setting) async throws -> Void
    ) async throws {
        try await withDatabase(.campaigns, migrations: ServiceMain.sharedMigrations) { database in
            try await withServer(.webhooks) { table in
                table.mountInternal(.takeEvents) { request, _ in
                    let batch = try await request.decodeBody(EventBatch.self)
                    try take(batch)
                    return try .json(IntakeReceipt(stored: batch.events.count))
                }
            } _: { server in
                let outbox = Outbox(service: .campaigns, database: database.runtime)
                let client = ServiceClient(
                    from: .campaigns,
                    to: .webhooks,
                    replicas: [server.url],
                    identities: try TestKeys.identities(.campaigns),
                    client: server.client
                )
                let relay = OutboxRelay(
                    to: .webhooks,
                    outbox: outbox,
                    client: client,
                    logger: TestLog.silent,
                    poll: .milliseconds(100),
                    backoff: Backoff(base: .milliseconds(10), limit: .milliseconds(50))
                )
                try await body(Setting(database: database, outbox: outbox, relay: relay, server: server))
            }
        }
    }

    /// Runs the relay around `body`.
    private func running(_ setting: Setting, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await setting.relay.run() }
            defer { group.cancelAll() }
            try await body()
        }
    }

    @Test func eventsArriveWholeAndLeaveTheOutbox() async throws {
        let received = Recorder<EventBatch.Entry>()
        try await self.withRelay { batch in
            for entry in batch.events { received.add(entry) }
        } _: { setting in
            let first = try await setting.append(1)
            try await self.running(setting) {
                try await eventually { received.count == 1 }
                // Told by NOTIFY or by the poll behind it.
                let second = try await setting.append(2)
                try await eventually { try await setting.pending == 0 && received.count == 2 }
                #expect(received.all.map(\.event.id) == [first, second])
            }
            let entry = try #require(received.all.first)
            #expect(entry.organizationID == OrganizationID(7))
            #expect(entry.event.type == "campaign_sent")
            #expect(entry.event.data == ["number": 1])
        }
    }

    @Test func rolledBackFactsAreNotTold() async throws {
        let received = Recorder<String>()
        try await self.withRelay { batch in
            for entry in batch.events { received.add(entry.event.id) }
        } _: { setting in
            await #expect(throws: Problem.self) {
                try await setting.database.runtime.transaction { transaction in
                    try setting.outbox.append(.campaignSent, [:], for: OrganizationID(7), in: transaction)
                    throw Problem(.conflict, "No.")
                }
            }
            let kept = try await setting.append(1)
            try await self.running(setting) {
                try await eventually { try await setting.pending == 0 }
            }
            #expect(received.all == [kept])
        }
    }

    @Test func failingReceiverIsTriedUntilItTakes() async throws {
        let tries = LockedCount()
        let received = Recorder<String>()
        try await self.withRelay { batch in
            if tries.add() <= 6 { throw Problem(.internal, "Broken.") }
            for entry in batch.events { received.add(entry.event.id) }
        } _: { setting in
            var sent: [String] = []
            for number in 0..<5 { sent.append(try await setting.append(Int64(number))) }
            try await self.running(setting) {
                try await eventually { try await setting.pending == 0 }
            }
            #expect(Set(received.all) == Set(sent))
            #expect(received.count == sent.count)
        }
    }

    @Test func refusedEntryIsSetAsideAndBlocksNobody() async throws {
        let received = Recorder<Int64>()
        try await self.withRelay { batch in
            let numbers = batch.events.compactMap { $0.event.data["number"]?.integerValue }
            if numbers.contains(3) { throw Problem(.validation, "Entry 3 has no taste.") }
            for number in numbers { received.add(number) }
        } _: { setting in
            for number in 1...6 { try await setting.append(Int64(number)) }
            try await self.running(setting) {
                try await eventually { try await setting.pending == 0 }
            }
            #expect(received.all.sorted() == [1, 2, 4, 5, 6])
            let reason = try await setting.database.runtime.readFirst(
                "SELECT reason FROM outbox WHERE state = 'refused'",
                as: String.self
            )
            #expect(reason == "Entry 3 has no taste.")
        }
    }

    /// Killed between the post and the delete: the next relay posts again, under the same id.
    @Test func entryThatWasNotDeletedIsRepeatedUnderItsID() async throws {
        let received = Recorder<String>()
        try await self.withRelay { batch in
            for entry in batch.events { received.add(entry.event.id) }
        } _: { setting in
            let id = try await setting.append(1)
            let claimed = try await OutboxStore(database: setting.database.runtime).claim(.webhooks, limit: 10, lease: .seconds(60))
            #expect(claimed.map(\.id) == [id])
            received.add(id)
            // Under its lease nobody else takes it; when that ends, the next relay does.
            #expect(try await OutboxStore(database: setting.database.runtime).claim(.webhooks, limit: 10, lease: .seconds(60)).isEmpty)
            try await setting.database.runtime.write("UPDATE outbox SET not_before = now()")
            try await self.running(setting) {
                try await eventually { try await setting.pending == 0 }
            }
            #expect(received.all == [id, id])
        }
    }

    @Test func lateHolderCannotMoveWhatAnotherHolds() async throws {
        try await self.withRelay { _ in
        } _: { setting in
            try await setting.append(1)
            let store = OutboxStore(database: setting.database.runtime)
            let late = try await store.claim(.webhooks, limit: 1, lease: .seconds(60))
            try await setting.database.runtime.write("UPDATE outbox SET not_before = now()")
            let holder = try await store.claim(.webhooks, limit: 1, lease: .seconds(60))
            #expect(holder.count == 1)
            try await store.postpone(late, by: .zero)
            try await store.park(try #require(late.first), reason: "late")
            #expect(try await store.claim(.webhooks, limit: 1, lease: .seconds(60)).isEmpty)
            #expect(try await setting.pending == 1)
        }
    }

    /// Audit entries and notices have one destination and two intakes; a bad one of either holds up nobody.
    @Test func noticesAndAuditEntriesGoToTheirOwnIntakes() async throws {
        let audited = Recorder<String>()
        let noticed = Recorder<Notice>()
        try await withDatabase(.integrations, migrations: ServiceMain.sharedMigrations) { database in
            try await withServer(.gateway) { table in
                table.mountInternal(.recordAudit) { request, _ in
                    let batch = try await request.decodeBody(AuditBatch.self)
                    for entry in batch.entries { audited.add(entry.action) }
                    return try .json(IntakeReceipt(stored: batch.entries.count))
                }
                table.mountInternal(.takeNotices) { request, _ in
                    let batch = try await request.decodeBody(NoticeBatch.self)
                    if batch.notices.contains(where: { $0.key == "bad" }) { throw Problem(.validation, "No.") }
                    for notice in batch.notices { noticed.add(notice) }
                    return try .json(IntakeReceipt(stored: batch.notices.count))
                }
            } _: { server in
                let outbox = Outbox(service: .integrations, database: database.runtime)
                try await database.runtime.transaction { transaction in
                    for key in ["one", "bad", "two"] {
                        try outbox.auditSystem("audited.\(key)", target: "x:1", for: OrganizationID(7), in: transaction)
                        try outbox.notify(
                            .integrationFailed,
                            about: NoticeSubject("integration", 5, "CRM"),
                            title: "It\nbroke",
                            detail: "",
                            key: key,
                            for: OrganizationID(7),
                            in: transaction
                        )
                    }
                }
                let relay = OutboxRelay(
                    to: .gateway,
                    outbox: outbox,
                    client: ServiceClient(
                        from: .integrations,
                        to: .gateway,
                        replicas: [server.url],
                        identities: try TestKeys.identities(.integrations),
                        client: server.client
                    ),
                    logger: TestLog.silent,
                    poll: .milliseconds(100),
                    backoff: Backoff(base: .milliseconds(10), limit: .milliseconds(50))
                )
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await relay.run() }
                    defer { group.cancelAll() }
                    try await eventually { audited.count == 3 && noticed.count == 2 }
                    try await eventually {
                        try await database.runtime.read("SELECT state FROM outbox", as: String.self) == ["refused"]
                    }
                }
            }
        }
        #expect(audited.all.sorted() == ["audited.bad", "audited.one", "audited.two"])
        #expect(noticed.all.map(\.key).sorted() == ["one", "two"])
        #expect(noticed.all.allSatisfy { $0.title == "It broke" && $0.organizationID == OrganizationID(7) })
    }
}
