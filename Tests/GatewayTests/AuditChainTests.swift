import Database
import Encryption
import Foundation
import Models
import ServiceKit
import Synchronization
import TestSupport
import Testing

@testable import Gateway

@Suite struct AuditChainTests {
    private static func ring(_ seed: UInt8 = 7, previous: [UInt8] = []) throws -> KeyRing {
        func key(_ seed: UInt8) -> Secret { Secret(Data((0..<32).map { $0 &* seed &+ 3 }).base64EncodedString()) }
        return try KeyRing(current: key(seed), previous: previous.map(key), development: true)
    }

    private static func entry(_ id: String, _ organization: Int64 = 5) -> AuditEntry {
        AuditEntry(
            id: id,
            organizationID: OrganizationID(organization),
            service: .campaigns,
            actor: "user:1",
            action: "campaign.sent",
            target: "campaign:9",
            details: ["name": "\"Ü\" {x}\n", "count": 3, "share": 1e16, "small": -0.0, "deep": ["b": [1.50, nil], "a": true]],
            address: nil,
            requestID: "req",
            timestamp: Date(timeIntervalSince1970: 1_795_000_000.123_456_7)
        )
    }

    /// A database with an audit log of `count` entries in organization 5.
    private func withLog(_ count: Int, _ body: @Sendable (TestDatabase, AuditStore, AuditVerifier) async throws -> Void) async throws {
        try await withDatabase(.gateway, migrations: ServiceMain.sharedMigrations + GatewayService.migrations) { database in
            let chain = try AuditChain(try Self.ring())
            let store = AuditStore(database: database.runtime, chain: chain)
            _ = try await store.take((0..<count).map { Self.entry("aud_\($0)") })
            try await body(database, store, AuditVerifier(database: database.runtime, chain: chain))
        }
    }

    private static let five = OrganizationID(5)

    @Test func untouchedChainIsRightToItsHead() async throws {
        try await self.withLog(12) { database, store, verifier in
            _ = try await store.take([Self.entry("aud_x", 6), Self.entry("aud_12"), Self.entry("aud_3"), Self.entry("aud_12")])
            let verdict = try await verifier.verify(Self.five)
            #expect(verdict.fault == nil)
            #expect(verdict.head.position == 13)
            #expect(try await verifier.verify(OrganizationID(6)).head.position == 1)
            #expect(try await verifier.verify(OrganizationID(7)).head.position == 0)
            #expect(try await verifier.organizations(after: nil) == [Self.five, OrganizationID(6)])
        }
    }

    @Test(arguments: [
        ("UPDATE audit_logs SET actor = 'user:2' WHERE position = 4", AuditFault.altered(position: 4)),
        ("UPDATE audit_logs SET details = '{}' WHERE position = 1", .altered(position: 1)),
        ("UPDATE audit_logs SET recorded_at = recorded_at - INTERVAL '1 microsecond' WHERE position = 7", .altered(position: 7)),
        ("UPDATE audit_logs SET mac = sha256('x') WHERE position = 8", .altered(position: 8)),
        ("DELETE FROM audit_logs WHERE position = 5", .removed(position: 5)),
        ("DELETE FROM audit_logs WHERE position = 1", .removed(position: 1)),
        ("DELETE FROM audit_logs WHERE position > 6", .truncated(last: 6, head: 8)),
        ("UPDATE audit_logs SET position = position + 100 WHERE position IN (2, 3)", .beyondHead(position: 102)),
        ("DELETE FROM audit_heads", .beyondHead(position: 1)),
        ("UPDATE audit_heads SET mac = sha256('x')", .otherHead(position: 8)),
        ("UPDATE audit_heads SET position = 6, mac = (SELECT mac FROM audit_logs WHERE position = 6)", .beyondHead(position: 7)),
        (
            """
            UPDATE audit_logs SET position = CASE position WHEN 2 THEN -2 WHEN 3 THEN -3 END WHERE position IN (2, 3);
            UPDATE audit_logs SET position = CASE position WHEN -2 THEN 3 WHEN -3 THEN 2 END WHERE position < 0
            """, .altered(position: 2)
        ),
    ])
    func tamperingShowsAtItsFirstPlace(_ statements: String, _ fault: AuditFault) async throws {
        try await self.withLog(8) { database, _, verifier in
            for statement in statements.split(separator: ";") { try await database.owner.write(Query(stringLiteral: String(statement))) }
            #expect(try await verifier.verify(Self.five).fault == fault)
        }
    }

    @Test func tailCutTogetherWithItsHeadShowsBesideAPublishedHead() async throws {
        try await self.withLog(8) { database, _, verifier in
            let published = try await verifier.verify(Self.five).head
            try await database.owner.write("DELETE FROM audit_logs WHERE position > 6")
            try await database.owner.write("UPDATE audit_heads SET position = 6, mac = (SELECT mac FROM audit_logs WHERE position = 6)")
            #expect(try await verifier.verify(Self.five).fault == nil)
            #expect(try await verifier.verify(Self.five, published: published).fault == .truncated(last: 6, head: 8))
            let other = AuditHead(organization: Self.five, position: 3, mac: [UInt8](repeating: 0, count: 32))
            #expect(try await verifier.verify(Self.five, published: other).fault == .otherThanPublished(position: 3))
        }
    }

    @Test func manyWritersAtOnceKeepOneUnbrokenChain() async throws {
        try await withDatabase(.gateway, migrations: ServiceMain.sharedMigrations + GatewayService.migrations) { database in
            var configuration = TestDatabase.configuration(.gateway, database.urls.runtime)
            configuration.writeConnections = 8
            let busy = Postgres(configuration, logger: TestLog.quiet)
            let chain = try AuditChain(try Self.ring())
            let store = AuditStore(database: busy, chain: chain)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for writer in 0..<20 {
                    group.addTask {
                        for number in 0..<5 {
                            if writer % 2 == 0 {
                                let origin = AuditOrigin(actor: "user:\(writer)", address: nil, requestID: nil)
                                try await busy.transaction { transaction in
                                    let change = AuditChange(action: "key.created", target: "key:\(number)")
                                    try store.record(change, by: origin, in: Self.five, transaction)
                                }
                            } else {
                                // Several organizations at once, in either order, and half of each batch a repeat.
                                let organizations: [Int64] = writer % 4 == 1 ? [5, 6, 7] : [7, 6, 5]
                                let batch = organizations.map { Self.entry("aud_\(writer / 4)_\(number)_\($0)", $0) }
                                _ = try await store.take(batch)
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            let verifier = AuditVerifier(database: busy, chain: chain)
            for (organization, count) in [(Int64(5), Int64(75)), (6, 25), (7, 25)] {
                let verdict = try await verifier.verify(OrganizationID(organization))
                #expect(verdict.fault == nil)
                #expect(verdict.head.position == count, "organization \(organization)")
            }
        }
    }

    @Test func oldEntriesStayVerifiableAfterAChangeOfKeys() async throws {
        try await self.withLog(3) { database, _, _ in
            let rotated = try AuditChain(try Self.ring(11, previous: [7]))
            _ = try await AuditStore(database: database.runtime, chain: rotated).take([Self.entry("aud_new")])
            let verdict = try await AuditVerifier(database: database.runtime, chain: rotated).verify(Self.five)
            #expect(verdict.fault == nil)
            #expect(verdict.head.position == 4)
            let forgetful = try AuditChain(try Self.ring(11))
            let unknown = try await AuditVerifier(database: database.runtime, chain: forgetful).verify(Self.five)
            if case .unknownKey(position: 1, _) = unknown.fault {} else { Issue.record("\(String(describing: unknown.fault))") }
            let keys = try await database.runtime.readFirst("SELECT COUNT(DISTINCT mac_key) FROM audit_logs", as: Int.self)
            #expect(keys == 2)
        }
    }

    @Test func headsAreWrittenToTheLogOnce() async throws {
        try await self.withLog(2) { database, store, verifier in
            let lines = Mutex<[String]>([])
            let log = AuditHeadLog(database: database.runtime, logger: TestLog.lines { line in lines.withLock { $0.append(line) } })
            #expect(try await log.publish() == 1)
            #expect(try await log.publish() == 0)
            let head = try await verifier.verify(Self.five).head
            let line = lines.withLock { $0.joined() }
            #expect(line.contains("Audit head") && line.contains("position=2") && line.contains(Hex.encode(head.mac)))
            _ = try await store.take([Self.entry("aud_z")])
            #expect(try await log.publish() == 1)
        }
    }

    @Test func runtimeRoleCannotRemoveHeads() async throws {
        try await self.withLog(1) { database, _, _ in
            for statement in ["DELETE FROM audit_heads", "TRUNCATE audit_heads"] as [Query] {
                let error = await #expect(throws: DatabaseError.self) { try await database.runtime.write(statement) }
                #expect(error?.sqlState == "42501")
            }
            let unchained: Query = """
                INSERT INTO audit_logs (organization_id, position, id, service, actor, action, target, details, timestamp)
                VALUES (5, 2, 'x', 'gateway', 'a', 'b', 'c', '{}', now())
                """
            // check_violation: an entry without a MAC has no place in the chain.
            let error = await #expect(throws: DatabaseError.self) { try await database.runtime.write(unchained) }
            #expect(error?.sqlState == "23514")
        }
    }

    @Test func listIsNewestFirstFilteredAndTheAskersOwn() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let other = try await gateway.register("eve@example.com")
            for _ in 0..<3 { _ = try await gateway.key(of: member, [.organizationRead]) }
            let path = "/api/v1/admin/audit-logs"
            let all = try await gateway.door.send("GET", path, headers: member.bearer)
            #expect(all.status == 200)
            let items = try #require(all.json["data"]?.arrayValue)
            #expect(items.prefix(3).allSatisfy { $0["action"] == "key.created" && $0["actor"] == .string("user:\(member.user)") })
            let positions = items.compactMap { $0["position"]?.integerValue }
            #expect(positions == positions.sorted(by: >) && positions.last == 1)
            #expect(items[0]["address"] == "127.0.0.1")
            let first = try await gateway.door.send("GET", path + "?action=key.created&limit=2", headers: member.bearer)
            #expect(first.json["data"]?.arrayValue?.count == 2)
            let cursor = try #require(first.json["next_cursor"]?.stringValue)
            let second = try await gateway.door.send("GET", path + "?action=key.created&limit=2&cursor=\(cursor)", headers: member.bearer)
            #expect(second.json["data"]?.arrayValue?.count == 1)
            #expect(second.json["next_cursor"] == .null)
            for filter in ["actor=user:\(other.user)", "service=webhooks", "from=2100-01-01T00:00:00Z", "to=2020-01-01T00:00:00Z"] {
                let none = try await gateway.door.send("GET", path + "?" + filter, headers: member.bearer)
                #expect(none.json["data"] == [], "\(filter)")
            }
            let wrong = try await gateway.door.send("GET", path + "?service=x&from=y&colour=z", headers: member.bearer)
            #expect(wrong.status == 422)
            let theirs = try await gateway.door.send("GET", path, headers: other.bearer)
            #expect(theirs.json["data"]?.arrayValue?.contains { $0["action"] == "key.created" } == false)
            let (_, key) = try await gateway.key(of: member, [.organizationRead])
            #expect(try await gateway.door.send("GET", path, headers: [("X-API-Key", key)]).status == 403)
            let (_, auditor) = try await gateway.key(of: member, [.auditRead])
            #expect(try await gateway.door.send("GET", path, headers: [("X-API-Key", auditor)]).status == 200)
        }
    }
}
