import Database
import Models
import TestSupport
import Testing

@testable import Gateway

@Suite struct RevocationTests {
    private func status(_ door: TestDoor, _ key: String) async throws -> Int {
        try await door.send("GET", "/api/v1/api/public/user", headers: [("X-API-Key", key)]).status
    }

    @Test func revocationReachesTheOtherReplicaWithinASecond() async throws {
        try await withGateway(.init(replicas: 2, runsWorkers: true)) { gateway in
            let member = try await gateway.register()
            for gateway in gateway.gateways { while !gateway.cache.isTrusted { await Task.yield() } }
            for _ in 0..<5 {
                let (id, key) = try await gateway.key(of: member, [.organizationRead])
                for door in gateway.replicas { #expect(try await self.status(door, key) == 200) }
                let revoked = try await gateway.door.send("DELETE", "/api/v1/api/keys/\(id)", headers: member.bearer)
                #expect(revoked.status == 204)
                let start = ContinuousClock.now
                while try await self.status(gateway.replicas[1], key) == 200 {}
                #expect(ContinuousClock.now - start < .seconds(1))
            }
        }
    }

    @Test func cacheAnswersWhileEchoesArrive() async throws {
        try await withGateway(.init(runsWorkers: true)) { gateway in
            let member = try await gateway.register()
            let cache = gateway.gateways[0].cache
            while !cache.isTrusted { await Task.yield() }
            let digest = try TokenDigest(member.accessToken)
            while cache.find(digest) == nil {
                #expect(try await gateway.door.send("GET", "/api/v1/auth/me", headers: member.bearer).status == 200)
            }
            // Behind the feed's back: only a cached answer can still be 200.
            try await gateway.database.runtime.write("UPDATE sessions SET revoked_at = now()")
            #expect(try await gateway.door.send("GET", "/api/v1/auth/me", headers: member.bearer).status == 200)
            cache.dropAll()
            #expect(try await gateway.door.send("GET", "/api/v1/auth/me", headers: member.bearer).status == 401)
        }
    }
}
