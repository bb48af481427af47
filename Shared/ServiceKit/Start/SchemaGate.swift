import Database
import Logging
import Models
import ServiceLifecycle

/// The schema of the database does not fit this build.
package struct SchemaError: Error, Sendable, Equatable, CustomStringConvertible {
    package var description: String
}

/// Holds back HTTP and workers until the schema was found in order. While Postgres cannot be reached it goes on asking; a schema that does
/// not fit ends the process.
struct SchemaGate: Service {
    let database: Postgres
    let migrator: Migrator
    let gate: Gate
    let logger: Logger

    func run() async throws {
        try await cancelWhenGracefulShutdown {
            try await self.waitForSchema()
            self.gate.open()
        }
        // The group takes a service that returns for a fault: stay until the end.
        try? await gracefulShutdown()
    }

    private func waitForSchema() async throws {
        let backoff = Backoff(base: .milliseconds(200), limit: .seconds(3))
        for number in 1... {
            do {
                return try Self.check(try await self.migrator.state(self.database), self.logger)
            } catch let error as DatabaseError where error.isPassing {
                self.logger.warning("The database is not reachable yet", metadata: ["error": "\(error)"])
                guard (try? await Task.sleep(for: backoff.delay(afterFailures: number))) != nil else { throw CancellationError() }
            }
        }
    }

    static func check(_ state: Migrator.State, _ logger: Logger) throws {
        switch state {
        case .current: return
        case .ahead: logger.notice("The schema is newer than this build, and fits it")
        case .behind(let missing):
            throw SchemaError(description: "The schema is behind: run `migrate` first. Missing: \(missing.joined(separator: ", "))")
        case .incompatible(let breaking):
            throw SchemaError(description: "The schema is too new for this build: \(breaking.joined(separator: ", "))")
        case .changed(let changed):
            throw SchemaError(description: "Migrations were changed after they ran: \(changed.joined(separator: ", "))")
        }
    }
}

extension DatabaseError {
    /// Will pass by itself once the server is there.
    fileprivate var isPassing: Bool {
        switch self.kind {
        case .unavailable, .connectionLost, .timedOut: true
        // 57P03: the server is starting up or shutting down.
        case .server: self.sqlState == "57P03"
        case .cancelled, .decoding, .misuse: false
        }
    }
}

/// Starts a service only once the gate is open.
struct GatedService: Service {
    let service: any Service
    let gate: Gate
    /// After this the service starts all the same; nil waits for ever.
    var patience: Duration?

    func run() async throws {
        let isOpen = try await cancelWhenGracefulShutdown { try await self.waitForGate() }
        guard isOpen, !Task.isShuttingDownGracefully else { return }
        try await self.service.run()
    }

    private func waitForGate() async throws -> Bool {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { try await self.gate.wait() }
                if let patience { group.addTask { try await Task.sleep(for: patience) } }
                try await group.next()
                group.cancelAll()
            }
            return true
        } catch is CancellationError {
            return false
        }
    }
}
