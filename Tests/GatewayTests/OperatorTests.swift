import Database
import Foundation
import Models
import ServiceKit
import Synchronization
import TestSupport
import Testing

@testable import Gateway

/// The commands of the operator, as the process carries them out.
@Suite struct OperatorTests {
    private final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        func add(_ line: String) { self.lines.withLock { $0.append(line) } }
        var all: [String] { self.lines.withLock { $0 } }
    }

    private func carryOut(_ arguments: [String], _ gateway: TestGateway) async throws -> [String] {
        let command = try #require(OperatorCommands.all.first { $0.name == arguments[0] })
        let work = try command.parse(Array(arguments.dropFirst()))
        let reader = SettingsReader(environment: TestGateway.environment(gateway.database, .init()))
        let (_, _, keyRing) = try ServiceMain.configure(.gateway, GatewayConfiguration.self, reader)
        let lines = Lines()
        try await work(OperatorContext(database: gateway.database.runtime, keyRing: keyRing, print: lines.add))
        return lines.all
    }

    @Test func tierTakesEffectInRunningReplicasAndIsAudited() async throws {
        var settings = TestGateway.Settings(replicas: 2, runsWorkers: true)
        settings.variables = ["API_RATE_LIMIT_DEFAULT": "100", "API_RATE_LIMIT_PREMIUM": "200", "AUTH_CACHE_SECONDS": "300"]
        try await withGateway(settings) { gateway in
            let member = try await gateway.register()
            for gateway in gateway.gateways { while !gateway.cache.isTrusted { await Task.yield() } }
            let (_, key) = try await gateway.key(of: member, [.organizationRead])
            let limit: @Sendable (TestDoor) async throws -> String? = { door in
                try await door.send("GET", "/api/v1/api/public/user", headers: [("X-API-Key", key)]).header("X-RateLimit-Limit")
            }
            for door in gateway.replicas { #expect(try await limit(door) == "100") }
            let said = try await self.carryOut(["set-tier", "--organization", "\(member.organization)", "--tier", "premium"], gateway)
            #expect(said == ["Organization \(member.organization) (Analytical Engines): default -> premium, in every replica from now on."])
            let start = ContinuousClock.now
            for door in gateway.replicas { while try await limit(door) != "200" {} }
            #expect(ContinuousClock.now - start < .seconds(1))
            let entry = try await gateway.database.runtime.readFirst(
                "SELECT actor || ' ' || details::text FROM audit_logs WHERE action = 'organization.tier_set'",
                as: String.self
            )
            #expect(entry == #"operator {"after": {"tier": "premium"}, "before": {"tier": "default"}}"#)
            let again = try await self.carryOut(["set-tier", "--organization", "\(member.organization)", "--tier", "premium"], gateway)
            #expect(again[0].contains("already"))
            #expect(try await gateway.audited(member.organization).filter { $0 == "organization.tier_set" }.count == 1)
        }
    }

    @Test func unknownOrganizationsAndWrongArgumentsAreRefused() async throws {
        try await withGateway { gateway in
            await #expect(throws: OperatorFailure("There is no organization 999.")) {
                try await self.carryOut(["set-tier", "--organization", "999", "--tier", "premium"], gateway)
            }
            await #expect(throws: OperatorFailure("There is no organization 999.")) {
                try await self.carryOut(["show-organization", "--organization", "999"], gateway)
            }
            for arguments in [
                ["--organization", "1", "--tier", "gold"], ["--tier", "premium"], ["--organization", "x", "--tier", "premium"],
            ] {
                await #expect(throws: OperatorFailure.self) { try await self.carryOut(["set-tier"] + arguments, gateway) }
            }
            await #expect(throws: OperatorFailure.self) { try await self.carryOut(["verify-audit", "--published", "1:00"], gateway) }
        }
    }

    @Test func organizationsAreListed() async throws {
        try await withGateway { gateway in
            let first = try await gateway.register()
            let second = try await gateway.register("eve@example.com")
            _ = try await gateway.key(of: second, [.organizationRead])
            let lines = try await self.carryOut(["list-organizations"], gateway)
            #expect(lines.count == 3)
            #expect(lines[2].hasPrefix("\(second.organization)\tdefault\t1\t1\t"))
            let after = try await self.carryOut(["list-organizations", "--after", "\(first.organization)", "--limit", "1"], gateway)
            #expect(after.dropFirst() == lines.suffix(1))
            #expect(try await self.carryOut(["show-organization", "--organization", "\(second.organization)"], gateway)[1] == lines[2])
        }
    }

    @Test func brokenChainEndsTheCommandWithAFailure() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let other = try await gateway.register("eve@example.com")
            _ = try await gateway.key(of: member, [.organizationRead])
            let right = try await self.carryOut(["verify-audit"], gateway)
            #expect(right.count == 2 && right.allSatisfy { $0.contains(": ok, head ") })
            let head = try #require(right[0].split(separator: " ").last.map(String.init))
            let one = ["verify-audit", "--organization", "\(member.organization)", "--published", head]
            #expect(try await self.carryOut(one, gateway).count == 1)
            let (organization, theirs) = (member.organization, other.organization)
            try await gateway.database.owner.write("DELETE FROM audit_logs WHERE organization_id = \(organization) AND position = 1")
            await #expect(throws: OperatorFailure("1 chain is broken.")) { try await self.carryOut(["verify-audit"], gateway) }
            #expect(try await self.carryOut(["verify-audit", "--organization", "\(theirs)"], gateway)[0].contains("ok"))
        }
    }
}
