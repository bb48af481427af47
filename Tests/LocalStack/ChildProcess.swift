import Foundation
import Synchronization

#if canImport(Glibc)
import Glibc
#endif

/// A process that the local stack started: it can be killed, frozen and waited for, and its output goes to a file.
/// It stands in a process group of its own, so that a Ctrl-C at the terminal reaches the launcher alone, which then stops all in order.
package final class ChildProcess: Sendable {
    package let name: String
    package let pid: Int32
    private let state = Mutex(State())

    private struct State {
        var exitStatus: Int32?
        var waiters: [CheckedContinuation<Int32, Never>] = []
    }

    /// A program that could not be started, or one of ``run(_:_:environment:)`` that failed.
    package struct SpawnError: Error, CustomStringConvertible {
        package var description: String
    }

    /// - output: the file that standard output and error are appended to.
    package init(
        name: String,
        executable: String,
        arguments: [String],
        environment: [String: String],
        output: String
    ) throws {
        self.name = name
        self.pid = try Self.spawn(executable, arguments, environment, output)
        self.reap()
    }

    private static func spawn(
        _ executable: String,
        _ arguments: [String],
        _ environment: [String: String],
        _ output: String
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        var every = sigset_t()
        sigfillset(&every)
        posix_spawnattr_setsigdefault(&attributes, &every)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))

        var argv = ([executable] + arguments).map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var pid: pid_t = 0
        let code = posix_spawn(&pid, executable, &actions, &attributes, &argv, &envp)
        guard code == 0 else { throw SpawnError(description: "\(executable): \(String(cString: strerror(code)))") }
        return pid
    }

    /// A thread of its own waits for the child: waitpid blocks, and the cooperative pool must not.
    private func reap() {
        Thread.detachNewThread { [self] in
            var status: Int32 = 0
            while waitpid(self.pid, &status, 0) == -1, errno == EINTR {}
            let waiters = self.state.withLock { state in
                state.exitStatus = status
                defer { state.waiters = [] }
                return state.waiters
            }
            waiters.forEach { $0.resume(returning: status) }
        }
    }

    package var isRunning: Bool { self.state.withLock { $0.exitStatus == nil } }

    /// The exit code, or 128 + signal, once the process has ended.
    @discardableResult
    package func exit() async -> Int32 {
        let status = await withCheckedContinuation { continuation in
            let ended = self.state.withLock { state -> Int32? in
                if state.exitStatus == nil { state.waiters.append(continuation) }
                return state.exitStatus
            }
            if let ended { continuation.resume(returning: ended) }
        }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : 128 + signal
    }

    package func signal(_ signal: Int32) {
        if self.isRunning { kill(self.pid, signal) }
    }

    /// SIGTERM, and SIGKILL for what is still there after the grace. Answers the exit code.
    @discardableResult
    package func stop(grace: Duration = .seconds(22)) async -> Int32 {
        self.signal(SIGCONT)
        self.signal(SIGTERM)
        return await withTaskGroup(of: Void.self) { group in
            group.addTask {
                try? await Task.sleep(for: grace)
                if !Task.isCancelled { self.signal(SIGKILL) }
            }
            let code = await self.exit()
            group.cancelAll()
            return code
        }
    }

    /// Runs a command to its end and answers its standard output.
    /// - Throws: ``SpawnError`` with the end of its output where it fails.
    @discardableResult
    package static func run(_ executable: String, _ arguments: [String], environment: [String: String]? = nil) async throws -> String {
        let output = FileManager.default.temporaryDirectory.appending(path: "switchboard-\(UUID().uuidString).out").path()
        defer { try? FileManager.default.removeItem(atPath: output) }
        let child = try ChildProcess(
            name: executable,
            executable: executable,
            arguments: arguments,
            environment: environment ?? ProcessInfo.processInfo.environment,
            output: output
        )
        let code = await child.exit()
        let text = (try? String(contentsOfFile: output, encoding: .utf8)) ?? ""
        guard code == 0 else {
            throw SpawnError(description: "\(([executable] + arguments).joined(separator: " ")) ended with \(code): \(text.suffix(2000))")
        }
        return text
    }
}
