import LocalStack
import UnixSignals

/// The life of a stack at a terminal: up, a job, wait for Ctrl-C, down.
enum StaysUp {
    static func run(_ stack: Stack, job: @escaping @Sendable () async throws -> Void) async throws {
        let signals = await UnixSignalsSequence(trapping: .sigint, .sigterm, .sighup)
        var failure: (any Error)?
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    try await stack.start { Screen.say("  \($0)") }
                    try await job()
                    Screen.say("\nSwitchboard is up at \(stack.settings.gatewayURL). Ctrl-C stops it.")
                    try await watch(stack)
                }
                group.addTask { for await _ in signals { return } }
                try await group.next()
                group.cancelAll()
            }
        } catch {
            failure = error
        }
        Screen.say("\nStopping …")
        let codes = await stack.stop()
        for (name, code) in codes.sorted(by: { $0.key < $1.key }) { Screen.say("  \(name) ended with \(code)") }
        if let failure, !(failure is CancellationError) { throw failure }
    }

    /// Until one of the processes ends by itself.
    private static func watch(_ stack: Stack) async throws {
        while true {
            try await Task.sleep(for: .seconds(1))
            if let name = await stack.casualty() {
                throw Casualty(description: "\(name) ended by itself; see \(stack.settings.logFile(name))")
            }
        }
    }

    struct Casualty: Error, CustomStringConvertible { var description: String }
}
