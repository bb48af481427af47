import Foundation
import Models

/// What each rate limit does without Postgres: first with Postgres stopped, then with Postgres there and its table of units away, because without
/// Postgres no credential can be looked up either, and so only strangers' limit is reached at all. Then how soon all is as before.
package struct AwayRun: Sendable {
    /// What a policy does with requests while units cannot be asked for.
    package enum Says: String, Sendable {
        /// 503.
        case closed
        /// Each replica counts alone, up to the limit.
        case local
    }

    /// As the gateway declares it (`LimitPolicy.failing`, which a test of the gateway holds against this).
    package static let says: [String: Says] = [
        "hour": .closed, "organization": .closed, "burst": .local, "member": .local, "address": .local, "hour-trial": .local,
    ]

    package struct Finding: Sendable {
        package var policy: String
        package var situation: String
        package var asked: String
        /// Times of each status.
        package var answered: [Int: Int]
        package var isAsSaid: Bool
    }

    private static let (member, address, burst) = (60, 40, 50)
    private static let small = [
        "MEMBER_RATE_LIMIT": String(Self.member), "ADDRESS_RATE_LIMIT": String(Self.address), "DATABASE_WAIT_LIMIT": "0.5",
    ]
    /// A gateway on which a key's hour is only watched, so that what its burst does can be seen.
    private static let watched = [
        "RATE_LIMIT_DRY_RUN": "hour,organization", "API_BURST_LIMIT_DEFAULT": String(Self.burst), "API_RATE_LIMIT_DEFAULT_TRIAL": "1",
    ]
    /// Of the right form, but for its checksum: refused without a look-up.
    private static let mistyped = Secret("swb_live_" + String(repeating: "a", count: 38))

    package let stack: Stack

    package init(stack: Stack) { self.stack = stack }

    private struct Doors: Sendable {
        var first: PublicAPI
        /// ``AwayRun/watched``.
        var second: PublicAPI
        var key: Secret
        var member: Secret
    }

    /// - Returns: the findings, and seconds from the start of Postgres until both gateways served the key again.
    package func run() async throws -> (findings: [Finding], recovery: Double) {
        let first = try await self.stack.launchReplica(of: .gateway, number: 8, adding: Self.small)
        let second = try await self.stack.launchReplica(of: .gateway, number: 9, adding: Self.small.merging(Self.watched) { $1 })
        let result = try await PublicAPI.using(first.url) { one in
            try await PublicAPI.using(second.url) { two in try await self.run(one, two) }
        }
        for replica in [first, second] { await replica.process.stop() }
        return result
    }

    private func run(_ first: PublicAPI, _ second: PublicAPI) async throws -> (findings: [Finding], recovery: Double) {
        let doors = try await PublicAPI.using(self.stack.settings.gatewayURL) { door in
            let member = try await door.registered(as: "Away\(UInt32.random(in: 0...UInt32.max))")
            let made = try await member.call(.post, "/api/v1/api/keys", ["name": "away", "scopes": ["organization:read"]])
            return Doors(first: first, second: second, key: Secret(made["key"]?.stringValue ?? ""), member: member.token ?? Secret(""))
        }
        for door in [first, second] { try await door.signed(doors.key).call(.get, Self.path) }
        try await self.stack.postgres.stop(.immediate)
        var findings = try await self.withoutPostgres(doors)
        try await self.stack.postgres.start()
        let recovery = try await self.recovered(doors)
        findings += try await self.withoutUnits(doors)
        for service in ServiceName.allCases { try await self.stack.waitUntilReady(service) }
        return (findings, recovery)
    }

    private static let path = "/api/v1/api/public/user"

    // MARK: - Postgres stopped

    private func withoutPostgres(_ doors: Doors) async throws -> [Finding] {
        // The memory of credentials ends with the echo that proves it (750 ms).
        try await Task.sleep(for: .seconds(1))
        var findings: [Finding] = []
        let situation = "Postgres stopped"
        let keyed = try await self.ask(doors.first.signed(doors.key), 8)
        for policy in ["hour", "organization", "burst", "hour-trial"] {
            let asked = "key: cannot be looked up"
            findings.append(Finding(policy: policy, situation: situation, asked: asked, answered: keyed, isAsSaid: keyed == [503: 8]))
        }
        let session = try await self.ask(doors.first.signed(doors.member), 8)
        let asked = "session: cannot be looked up"
        findings.append(Finding(policy: "member", situation: situation, asked: asked, answered: session, isAsSaid: session == [503: 8]))
        try await self.waitForWindow(of: 60, rest: 12)
        for (name, door) in [("first", doors.first), ("second", doors.second)] {
            let answered = try await self.ask(door.signed(Self.mistyped), Self.address + 20)
            let isAsSaid = answered == [401: Self.address, 429: 20]
            findings.append(
                Finding(
                    policy: "address",
                    situation: situation,
                    asked: "\(name) gateway: wrong key",
                    answered: answered,
                    isAsSaid: isAsSaid
                )
            )
        }
        return findings
    }

    private func recovered(_ doors: Doors) async throws -> Double {
        let start = ContinuousClock.now
        for door in [doors.first, doors.second] {
            try await LocalWait.until("the key to be served again", within: .seconds(30), every: .milliseconds(20)) { () -> Void? in
                try await door.signed(doors.key).send(.get, Self.path).status == 200 ? () : nil
            }
        }
        return (ContinuousClock.now - start) / .seconds(1)
    }

    // MARK: - Postgres there, units away

    private func withoutUnits(_ doors: Doors) async throws -> [Finding] {
        let table = "gateway.rate_limit_windows"
        try await self.stack.postgres.psql(nil, ["-c", "ALTER TABLE \(table) RENAME TO rate_limit_windows_away"])
        let result: Result<[Finding], any Error>
        do {
            result = .success(try await self.findWithoutUnits(doors))
        } catch {
            result = .failure(error)
        }
        try await self.stack.postgres.psql(nil, ["-c", "ALTER TABLE gateway.rate_limit_windows_away RENAME TO rate_limit_windows"])
        return try result.get()
    }

    private func findWithoutUnits(_ doors: Doors) async throws -> [Finding] {
        let situation = "units away"
        // Units that were granted before are good until their window ends; a second later they have gone back.
        try await Task.sleep(for: .seconds(2))
        var findings: [Finding] = []
        let keyed = try await self.ask(doors.first.signed(doors.key), 20)
        for policy in ["hour", "organization"] {
            findings.append(
                Finding(
                    policy: policy,
                    situation: situation,
                    asked: "key",
                    answered: keyed,
                    isAsSaid: Set(keyed.keys).isSubset(of: [200, 503]) && keyed[503, default: 0] >= 5
                )
            )
        }
        try await self.waitForWindow(of: 10, rest: 5)
        let burst = try await self.ask(doors.second.signed(doors.key), Self.burst + 20)
        let isBurst = burst == [200: Self.burst, 429: 20]
        let watched = "key, its hour only watched"
        findings.append(Finding(policy: "burst", situation: situation, asked: watched, answered: burst, isAsSaid: isBurst))
        // Its limit is 1.
        let isTrial = burst[200, default: 0] > 1
        findings.append(Finding(policy: "hour-trial", situation: situation, asked: "\(watched)", answered: burst, isAsSaid: isTrial))
        try await self.waitForWindow(of: 60, rest: 8)
        let session = try await self.ask(doors.first.signed(doors.member), Self.member + 20)
        let isMember = session == [200: Self.member, 429: 20]
        findings.append(Finding(policy: "member", situation: situation, asked: "session", answered: session, isAsSaid: isMember))
        return findings
    }

    // MARK: - Parts

    /// Asks so many times, some at once, and counts the statuses.
    private func ask(_ door: PublicAPI, _ times: Int) async throws -> [Int: Int] {
        try await withThrowingTaskGroup(of: Int.self) { group in
            var counts: [Int: Int] = [:]
            for number in 0..<times {
                if number >= 4, let status = try await group.next() { counts[status, default: 0] += 1 }
                group.addTask { try await door.send(.get, Self.path).status }
            }
            for try await status in group { counts[status, default: 0] += 1 }
            return counts
        }
    }

    /// Until a window of that length has so many seconds left.
    private func waitForWindow(of length: Double, rest: Double) async throws {
        let left = length - Date().timeIntervalSince1970.truncatingRemainder(dividingBy: length)
        if left < rest { try await Task.sleep(for: .seconds(left + 0.1)) }
    }
}
