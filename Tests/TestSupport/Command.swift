import Foundation
import Glibc

/// Runs a program and waits for its end on a thread of its own.
///
/// Not by Foundation's `Process`: on Linux it learns of a child's end from a descriptor that children started at the same time inherit, so a server
/// that one test starts would keep every other test waiting.
package enum Command {
    /// - Parameter arguments: the program's name, looked up in PATH, and its arguments.
    /// - Returns: what it wrote to its standard error.
    /// - Throws: ``TestFailure`` when it cannot be started or ends with another status than 0.
    @discardableResult
    package static func run(_ arguments: String...) async throws -> String { try await Self.run(arguments) }

    @discardableResult
    package static func run(_ arguments: [String]) async throws -> String {
        try await withCheckedThrowingContinuation { continuation in
            Thread.detachNewThread { continuation.resume(with: Result { try Self.runBlocking(arguments) }) }
        }
    }

    private static func runBlocking(_ arguments: [String]) throws -> String {
        let errors = FileManager.default.temporaryDirectory.appending(path: "command-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: errors) }
        let process = try Self.spawn(arguments, standardError: errors.path)
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0, errno == EINTR {}
        let words = try String(contentsOf: errors, encoding: .utf8)
        guard status == 0 else { throw TestFailure("\(arguments.first ?? "") \(arguments.last ?? ""): status \(status): \(words)") }
        return words
    }

    /// The child's first step closes every descriptor that it was not meant to have: a server must not hold other tests' pipes open.
    private static let launcher = """
        for descriptor in /proc/$$/fd/*; do
            descriptor=${descriptor##*/}
            [ "$descriptor" -gt 2 ] && eval "exec $descriptor>&-"
        done
        exec "$@"
        """

    private static func spawn(_ arguments: [String], standardError: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, standardError, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        // Threads of the pool block signals, and a child would inherit that.
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let copies = (["bash", "-c", Self.launcher, "launcher"] + arguments).map { strdup($0) }
        defer { for copy in copies { free(copy) } }
        var process: pid_t = 0
        let code = posix_spawnp(&process, "bash", &actions, &attributes, copies + [nil], environ)
        guard code == 0 else { throw TestFailure("\(arguments.first ?? "") cannot be started: error \(code)") }
        return process
    }
}
