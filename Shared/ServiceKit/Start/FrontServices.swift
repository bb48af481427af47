import Logging
import ServiceLifecycle

/// A part that must run until shutdown came to its end before.
struct EndedEarly: Error, CustomStringConvertible {
    var name: String
    var description: String { "\(self.name) ended without being asked to" }
}

/// HTTP, workers and relays: all stop taking work at the same moment, and each finishes or hands back what it holds within the grace. Then
/// what hangs is cancelled, so that clients and database still have time to close.
struct FrontServices: Service {
    struct Part: Sendable {
        var name: String
        var service: any Service
    }

    let parts: [Part]
    let grace: Duration
    let logger: Logger

    private enum Event: Sendable {
        case ended(String)
        case graceOver
    }

    func run() async throws {
        try await withThrowingTaskGroup(of: Event.self) { group in
            for part in self.parts {
                group.addTask {
                    try await part.service.run()
                    guard Task.isShuttingDownGracefully || Task.isCancelled else { throw EndedEarly(name: part.name) }
                    return .ended(part.name)
                }
            }
            group.addTask {
                try await gracefulShutdown()
                try await Task.sleep(for: self.grace)
                return .graceOver
            }
            try await self.wait(for: &group)
        }
    }

    private func wait(for group: inout ThrowingTaskGroup<Event, any Error>) async throws {
        var running = Set(self.parts.map(\.name))
        do {
            while !running.isEmpty, let event = try await group.next() {
                switch event {
                case .ended(let name): running.remove(name)
                case .graceOver:
                    self.logger.warning(
                        "Shutdown takes too long: what still runs is cancelled",
                        metadata: ["running": "\(running.sorted().joined(separator: ", "))"]
                    )
                    group.cancelAll()
                }
            }
        } catch is CancellationError where Task.isShuttingDownGracefully {
            // A part that was cancelled after the grace ends so.
            self.logger.notice("A part was cancelled during shutdown")
        }
        group.cancelAll()
    }
}

/// What an assembly still does when HTTP and workers have stopped.
struct ClosingService: Service {
    let closing: @Sendable () async -> Void

    func run() async throws {
        // Cancellation ends the wait as shutdown does.
        try? await gracefulShutdown()
        await self.closing()
    }
}

/// Closes the outgoing clients after everything that calls through them has stopped.
struct ClientsService: Service {
    let house: House

    func run() async throws {
        // Cancellation ends the wait as shutdown does.
        try? await gracefulShutdown()
        await self.house.shutdownClients(within: .seconds(1))
    }
}
