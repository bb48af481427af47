import Foundation
import Models

/// A key is revoked at one gateway; how long until another refuses it.
package struct RevocationRun: Sendable {
    package let stack: Stack
    /// Where the key is used, and which process listens there.
    package let other: (process: ChildProcess, url: String)

    package init(stack: Stack, other: (process: ChildProcess, url: String)) {
        self.stack = stack
        self.other = other
    }

    /// Longer than any cut needs to be noticed; a key that is accepted for so long is accepted for good.
    private static let patience: Duration = .seconds(10)

    /// - isCut: packets of the other gateway's listening connection are dropped from the moment of revoking on, in both directions.
    /// - Returns: from the revocation's answer to the first refusal, and how often the key was accepted meanwhile.
    package func trial(_ member: PublicAPI, _ other: PublicAPI, isCut: Bool) async throws -> (delay: Duration, accepted: Int) {
        let made = try await member.call(.post, "/api/v1/api/keys", ["name": "to be revoked", "scopes": ["organization:read"]])
        guard let id = made["id"]?.integerValue, let key = made["key"]?.stringValue else {
            throw PublicAPI.Refusal(description: "no key was made", status: 0)
        }
        let api = other.signed(Secret(key))
        // Twice: the second answer comes from memory.
        for _ in 0..<2 { try await api.call(.get, "/api/v1/api/public/user") }
        let cut = isCut ? try await self.cutListener() : nil
        do {
            try await member.call(.delete, "/api/v1/api/keys/\(id)")
            let result = try await self.untilRefused(api)
            try await cut?.mend()
            return result
        } catch {
            try await cut?.mend()
            throw error
        }
    }

    private func untilRefused(_ api: PublicAPI) async throws -> (delay: Duration, accepted: Int) {
        let start = ContinuousClock.now
        var accepted = 0
        while ContinuousClock.now - start < Self.patience {
            let status = try await api.send(.get, "/api/v1/api/public/user").status
            if status == 401 { return (ContinuousClock.now - start, accepted) }
            if status == 200 { accepted += 1 }
            try await Task.sleep(for: .milliseconds(2))
        }
        throw PublicAPI.Refusal(description: "a revoked key is still accepted after \(Self.patience)", status: 200)
    }

    /// A connection whose packets vanish, as behind a dead firewall: nobody is told.
    private struct Cut {
        let port: String

        func mend() async throws {
            for direction in ["--sport", "--dport"] {
                try await ChildProcess.run(
                    "/usr/sbin/iptables",
                    ["-D", "INPUT", "-i", "lo", "-p", "tcp", direction, self.port, "-j", "DROP"]
                )
            }
        }
    }

    private func cutListener() async throws -> Cut {
        let sockets = try await ChildProcess.run("/usr/bin/ss", ["-tnpH", "state", "established"])
        let own = Set(
            sockets.split(separator: "\n").filter { $0.contains("pid=\(self.other.process.pid),") }
                .compactMap { $0.split(separator: " ").dropFirst(2).first?.split(separator: ":").last.map(String.init) }
        )
        let ports = try await self.stack.postgres.psql(
            nil,
            ["-tAc", "SELECT client_port FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND state = 'idle'"]
        ).split(separator: "\n").map(String.init)
        guard let port = ports.first(where: { own.contains($0) }) else {
            throw PublicAPI.Refusal(description: "the listening connection of \(self.other.url) was not found among \(ports)", status: 0)
        }
        for direction in ["--sport", "--dport"] {
            try await ChildProcess.run("/usr/sbin/iptables", ["-I", "INPUT", "-i", "lo", "-p", "tcp", direction, port, "-j", "DROP"])
        }
        return Cut(port: port)
    }
}
