import LocalStack
import UnixSignals

/// The life of a stack at a terminal: up, a job, wait for Ctrl-C, down.
enum StaysUp {
    static func run(_ stack: Stack, job: @escaping @Sendable () async throws -> Void) async throws {
        try await self.stopping(stack) {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await stack.start { Screen.say("  \($0)") }
                    try await job()
                    Screen.say("\nSwitchboard is up at \(stack.settings.gatewayURL). Ctrl-C stops it.")
                    try await self.watch(stack)
                }
                group.addTask { try await self.watch(stack) }
                defer { group.cancelAll() }
                try await group.next()
            }
        }
    }

    /// Runs `body` until it ends or a signal asks for the end, and then stops the stack.
    static func stopping(_ stack: Stack, _ body: @escaping @Sendable () async throws -> Void) async throws {
        // Before anything is started, so that a run directory or port of somebody else's is refused in one line.
        try await stack.claim { Screen.say("  \($0)") }
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        var failure: (any Error)?
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await body() }
                group.addTask { for await _ in signals { return } }
                defer { group.cancelAll() }
                try await group.next()
            }
        } catch {
            failure = error
        }
        Screen.say("\nStopping …")
        let codes = await stack.stop()
        for (name, code) in codes.sorted(by: { $0.key < $1.key }) { Screen.say("  \(name) ended with \(code)") }
        if let failure, !(failure is CancellationError) { throw failure }
    }

    /// Throws when one of the processes ends by itself: while the others start, in the middle of the job, or later.
    private static func watch(_ stack: Stack) async throws {
        while true {
            try await Task.sleep(for: .seconds(1))
            if let casualty = await stack.casualty() { throw casualty }
        }
    }
}
