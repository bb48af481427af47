import Database
import Foundation
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Gateway

@Suite struct AuditTests {
    private static func entry(_ id: String, _ service: ServiceName = .webhooks) throws -> AuditEntry {
        AuditEntry(
            id: id,
            organizationID: OrganizationID(5),
            service: service,
            actor: "user:1",
            action: "subscription.created",
            target: "subscription:9",
            details: ["url": "https://example.com/\"quoted\" {x}"],
            address: nil,
            requestID: "req-1",
            timestamp: try #require(Timestamp.parse("2026-11-22T08:30:00.123Z"))
        )
    }

    private func post(_ gateway: TestGateway, _ batch: AuditBatch, as caller: ServiceName) async throws -> TestDoor.Answer {
        let body = try JSONCoding.encode(batch)
        let identity = InternalIdentity(
            caller: caller,
            callee: .gateway,
            requestID: "req-1",
            expires: Int64(Date().timeIntervalSince1970) + 30
        )
        let keys = try IdentityKeys(service: caller, keys: [.gateway: [Secret(TestGateway.internalKey)]])
        let header = try keys.sign(identity, for: SignedRequest(method: "POST", path: "/internal/audit", body: .bytes(body)))
        let headers = [("Switchboard-Identity", header), ("Content-Type", "application/json")]
        return try await gateway.door.send("POST", "/internal/audit", headers: headers, bytes: body)
    }

    @Test func entriesOfOtherServicesAreTakenOnce() async throws {
        try await withGateway { gateway in
            let batch = AuditBatch(entries: [try Self.entry("aud_1"), try Self.entry("aud_2")])
            let first = try await self.post(gateway, batch, as: .webhooks)
            #expect(first.status == 200)
            #expect(first.json == ["stored": 2])
            let again = AuditBatch(entries: [try Self.entry("aud_2"), try Self.entry("aud_3")])
            #expect(try await self.post(gateway, again, as: .webhooks).json == ["stored": 1])
            #expect(try await gateway.audited(OrganizationID(5)).count == 3)
            let stored = try await gateway.database.runtime.readFirst(
                "SELECT details->>'url' || ' ' || (address IS NULL) || ' ' || timestamp FROM audit_logs WHERE id = 'aud_1'",
                as: String.self
            )
            #expect(stored?.hasPrefix("https://example.com/\"quoted\" {x} true 2026-11-22") == true)
        }
    }

    @Test func processesSpeakForThemselvesOnly() async throws {
        try await withGateway { gateway in
            let foreign = AuditBatch(entries: [try Self.entry("aud_1", .campaigns)])
            #expect(try await self.post(gateway, foreign, as: .webhooks).status == 403)
            let body = try JSONCoding.encode(AuditBatch(entries: [try Self.entry("aud_1")]))
            let member = try await gateway.register()
            let headers = member.bearer + [("Content-Type", "application/json")]
            #expect(try await gateway.door.send("POST", "/internal/audit", headers: headers, bytes: body).status == 404)
            #expect(try await gateway.audited(OrganizationID(5)).isEmpty)
        }
    }

    @Test func runtimeRoleCannotChangeTheLog() async throws {
        try await withGateway { gateway in
            let statements: [Query] = [
                "UPDATE audit_logs SET actor = 'x'", "DELETE FROM audit_logs", "TRUNCATE audit_logs", "DROP TABLE audit_logs",
                "ALTER TABLE audit_logs DISABLE TRIGGER ALL",
            ]
            for statement in statements {
                let error = await #expect(throws: DatabaseError.self) { try await gateway.database.runtime.write(statement) }
                // insufficient_privilege
                #expect(error?.sqlState == "42501")
            }
        }
    }
}
