import Foundation
import Models
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// Clients hammer three gateways on one database with a few keys, one gateway is killed in the middle, and every answer is kept.
package struct LimitRun: Sendable {
    package static let hour = 1_300
    package static let burst = 500
    package static let burstSeconds = 10
    package static let environment = [
        "API_RATE_LIMIT_DEFAULT": String(hour), "API_BURST_LIMIT_DEFAULT": String(burst), "ORGANIZATION_RATE_LIMIT_DEFAULT": "1000000000",
    ]

    package let stack: Stack
    package var keys = 16
    package var clients = 64
    package var replicas = 3
    package var seconds = 30

    package init(stack: Stack) { self.stack = stack }

    /// Where the clients may still go.
    private final class Doors: Sendable {
        private let open: Mutex<[PublicAPI]>
        init(_ doors: [PublicAPI]) { self.open = Mutex(doors) }
        var any: PublicAPI? { self.open.withLock { $0.randomElement() } }
        func close(_ door: PublicAPI) { self.open.withLock { doors in doors.removeAll { $0.base == door.base } } }
    }

    /// - Returns: what the clients saw, and the windows of ten seconds that lie wholly within the run.
    package func run() async throws -> (log: LimitLog, wholeWindows: Set<Int>) {
        var others: [(process: ChildProcess, url: String)] = []
        for number in 2...self.replicas { others.append(try await self.stack.launchReplica(of: .gateway, number: number)) }
        let urls = [self.stack.settings.gatewayURL] + others.map(\.url)
        let result = try await self.withDoors(urls) { doors in
            let keys = try await self.makeKeys(doors[0])
            let start = try await self.waitForWindow()
            let open = Doors(doors)
            let victim = others.last
            return try await withThrowingTaskGroup(of: [LimitLog.Observation].self) { group in
                for client in 0..<self.clients {
                    group.addTask {
                        try await self.hammer(client % self.keys, keys[client % self.keys], open, until: start + Double(self.seconds))
                    }
                }
                group.addTask {
                    try await Task.sleep(for: .seconds(Double(self.seconds) / 2))
                    victim?.process.signal(SIGKILL)
                    return []
                }
                var log = LimitLog(policies: ["hour": (3600, Self.hour), "burst": (Self.burstSeconds, Self.burst)])
                for try await seen in group { log.add(seen) }
                let first = Int(start) + Self.burstSeconds
                return (log, Set(stride(from: first, through: Int(start) + self.seconds, by: Self.burstSeconds)))
            }
        }
        for other in others { await other.process.stop() }
        return result
    }

    private func withDoors<Value: Sendable>(
        _ urls: [String],
        _ doors: [PublicAPI] = [],
        _ body: ([PublicAPI]) async throws -> Value
    ) async throws -> Value {
        guard let url = urls.first else { return try await body(doors) }
        return try await PublicAPI.using(url) { try await self.withDoors(Array(urls.dropFirst()), doors + [$0], body) }
    }

    private func makeKeys(_ door: PublicAPI) async throws -> [Secret] {
        let member = try await door.registered(as: "Limits")
        var keys: [Secret] = []
        for number in 0..<self.keys {
            let key = try await member.call(.post, "/api/v1/api/keys", ["name": .string("key \(number)"), "scopes": ["organization:read"]])
            keys.append(Secret(key["key"]?.stringValue ?? ""))
        }
        return keys
    }

    /// The beginning of the next window, with the hour far from its end.
    private func waitForWindow() async throws -> Double {
        while true {
            let now = Date().timeIntervalSince1970
            let next = (now / Double(Self.burstSeconds)).rounded(.up) * Double(Self.burstSeconds)
            try await Task.sleep(for: .seconds(next - now))
            if 3600 - next.truncatingRemainder(dividingBy: 3600) > Double(self.seconds) + 10 { return next }
        }
    }

    private func hammer(_ number: Int, _ key: Secret, _ doors: Doors, until end: Double) async throws -> [LimitLog.Observation] {
        var seen: [LimitLog.Observation] = []
        seen.reserveCapacity(8_192)
        while Date().timeIntervalSince1970 < end, let door = doors.any {
            let sentAt = Date().timeIntervalSince1970
            guard let answer = try? await door.signed(key).send(.get, "/api/v1/api/public/user") else {
                // The killed one. What it had admitted and not answered is counted by nobody.
                doors.close(door)
                continue
            }
            guard [200, 429].contains(answer.status) else {
                throw PublicAPI.Refusal(description: "answered \(answer.status)", status: answer.status)
            }
            seen.append(
                LimitLog.Observation(
                    key: number,
                    sentAt: sentAt,
                    receivedAt: Date().timeIntervalSince1970,
                    isAdmitted: answer.status == 200,
                    standings: Self.standings(answer.headers["ratelimit"] ?? "")
                )
            )
        }
        return seen
    }

    /// `"hour";r=12;t=34, "burst";r=5;t=6`
    static func standings(_ text: String) -> [LimitLog.Standing] {
        text.split(separator: ",").compactMap { item in
            let parts = item.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\"" } }
            guard parts.count == 3, let remaining = Int(parts[1].dropFirst(2)), let after = Int(parts[2].dropFirst(2)) else { return nil }
            return LimitLog.Standing(policy: String(parts[0]), remaining: remaining, resetAfter: after)
        }
    }
}
