import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// Notes which processes a stack started, so that a later start finds those whose launcher was killed without a chance to stop them.
/// Only who holds the run directory's ``RunLock`` may end what is noted there.
enum PidFiles {
    private static func directory(_ run: String) -> String { "\(run)/pids" }

    /// Processes of an earlier launcher that nothing ends.
    struct Unkillable: Error, CustomStringConvertible { var description: String }

    static func write(_ process: ChildProcess, in run: String) {
        guard let identity = ProcessIdentity(process.pid), let data = try? JSONEncoder().encode(identity) else { return }
        try? FileManager.default.createDirectory(atPath: directory(run), withIntermediateDirectories: true)
        try? data.write(to: URL(filePath: "\(directory(run))/\(process.name)"), options: .atomic)
    }

    /// Ends what an earlier launcher left behind: SIGTERM, so that mail under way is not in doubt, and SIGKILL for what is still there
    /// after the grace.
    /// - Returns: the names of what was ended.
    static func endStrays(in run: String, grace: Duration = .seconds(5)) async throws -> [String] {
        let strays = self.strays(in: run)
        for signal in [SIGCONT, SIGTERM] { strays.values.forEach { $0.signal(signal) } }
        if try await !self.haveEnded(strays, within: grace) {
            strays.values.forEach { $0.signal(SIGKILL) }
            guard try await self.haveEnded(strays, within: .seconds(10)) else {
                let left = strays.filter { $0.value.isAlive }.map { "\($0.key) (pid \($0.value.pid))" }.sorted()
                throw Unkillable(description: "an earlier launcher left \(left.joined(separator: ", ")), which cannot be ended")
            }
        }
        self.clear(in: run)
        return strays.keys.sorted()
    }

    private static func strays(in run: String) -> [String: ProcessIdentity] {
        var strays: [String: ProcessIdentity] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: directory(run))) ?? [] {
            guard let data = FileManager.default.contents(atPath: "\(directory(run))/\(name)"),
                let identity = try? JSONDecoder().decode(ProcessIdentity.self, from: data), identity.isAlive
            else { continue }
            strays[name] = identity
        }
        return strays
    }

    private static func haveEnded(_ strays: [String: ProcessIdentity], within limit: Duration) async throws -> Bool {
        let deadline = ContinuousClock.now + limit
        while strays.values.contains(where: \.isAlive) {
            guard ContinuousClock.now < deadline else { return false }
            try await Task.sleep(for: .milliseconds(50))
        }
        return true
    }

    static func clear(in run: String) {
        try? FileManager.default.removeItem(atPath: directory(run))
    }
}
