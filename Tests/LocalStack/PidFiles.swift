import Foundation

#if canImport(Glibc)
import Glibc
#endif

/// Notes which processes a stack started, so that a later start finds those whose launcher was killed without a chance to stop them.
enum PidFiles {
    private static func directory(_ run: String) -> String { "\(run)/pids" }

    static func write(_ process: ChildProcess, in run: String) {
        try? FileManager.default.createDirectory(atPath: directory(run), withIntermediateDirectories: true)
        let executable = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(process.pid)/exe")) ?? ""
        try? "\(process.pid)\n\(executable)".write(toFile: "\(directory(run))/\(process.name)", atomically: true, encoding: .utf8)
    }

    /// Kills what an earlier launcher left behind: the noted pid, if it still runs the noted program.
    static func killStrays(in run: String) {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: directory(run))) ?? [] {
            let lines = ((try? String(contentsOfFile: "\(directory(run))/\(name)", encoding: .utf8)) ?? "").split(separator: "\n")
            guard lines.count == 2, let pid = pid_t(lines[0]) else { continue }
            let running = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(pid)/exe")
            // A rebuilt program's old process reads "… (deleted)".
            if let running, running.hasPrefix(lines[1]) { kill(pid, SIGKILL) }
        }
        clear(in: run)
    }

    static func clear(in run: String) {
        try? FileManager.default.removeItem(atPath: directory(run))
    }
}
