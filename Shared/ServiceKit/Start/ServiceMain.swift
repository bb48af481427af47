import CoreMetrics
package import Database
package import Encryption
import Foundation
import Logging
package import Models
import ServiceLifecycle
import Transport
import UnixSignals

package enum ServiceMain {
    /// Everything stops within this after SIGTERM or SIGINT.
    private static let shutdownLimit = Duration.seconds(20)
    private static let workGrace = Duration.seconds(16)

    /// The tables that ServiceKit keeps in every schema: they come before a service's own.
    package static let sharedMigrations: [(file: String, bytes: [UInt8])] = [
        (file: "S0001_foundation.sql", bytes: PackageResources.S0001_foundation_sql)
    ]

    /// The whole life of a process: `migrate` as first argument migrates and ends, one of `commands` is carried out and ends; otherwise
    /// configuration → logging → metrics → database → routes and workers → migration check → serve until SIGTERM or SIGINT → exit code.
    /// `build` runs before the database does.
    package static func run<Configuration: ServiceConfiguration>(
        _ service: ServiceName,
        migrations: [(file: String, bytes: [UInt8])],
        configuration: Configuration.Type,
        commands: [OperatorCommand] = [],
        build: @escaping @Sendable (House, Configuration) async throws -> Assembly
    ) async -> Never {
        // Before any socket: a peer that hangs up must be an error of one call, not the end of the process (signal(7)).
        signal(SIGPIPE, SIG_IGN)
        Allocator.settle()
        OpenFileLimit.raise()
        do {
            let arguments = CommandLine.arguments.dropFirst()
            switch arguments.first {
            case nil: try await self.serve(service, try self.parse(migrations), configuration, build)
            case "migrate" where arguments.count == 1: try await self.migrate(service, try self.parse(migrations))
            case let name?:
                guard let command = commands.first(where: { $0.name == name }) else { throw UsageError(commands: commands) }
                try await self.carryOut(command, Array(arguments.dropFirst()), service, try self.parse(migrations), configuration)
            }
            exit(0)
        } catch {
            FileHandle.standardError.write(Data("\(service.rawValue): \(error)\n".utf8))
            exit(1)
        }
    }

    private struct UsageError: Error, CustomStringConvertible {
        var commands: [OperatorCommand]

        var description: String {
            let known = [("migrate", "bring the schema up to date")] + self.commands.map { ($0.name, $0.summary) }
            let width = known.map(\.0.count).max() ?? 0
            let lines = known.map { name, summary in "  \(name)\(String(repeating: " ", count: width - name.count))  \(summary)" }
            return "Without an argument the process serves. The first argument may be:\n" + lines.joined(separator: "\n")
        }
    }

    /// With the process's own environment and runtime role; the schema must fit, as for serving.
    private static func carryOut<Configuration: ServiceConfiguration>(
        _ command: OperatorCommand,
        _ arguments: [String],
        _ service: ServiceName,
        _ migrations: [Migration],
        _ type: Configuration.Type
    ) async throws {
        let work = try command.parse(arguments)
        let reader = SettingsReader(environment: ProcessInfo.processInfo.environment)
        let (configuration, _, keyRing) = try self.configure(service, type, reader)
        let logger = self.bootstrapLogging(service, max(configuration.logLevel, .warning))
        let database = Postgres(configuration.database, logger: logger)
        try SchemaGate.check(try await Migrator(migrations, schema: service.rawValue, logger: logger).state(database), logger)
        try await work(OperatorContext(database: database, keyRing: keyRing))
    }

    private static func parse(_ migrations: [(file: String, bytes: [UInt8])]) throws -> [Migration] {
        try (self.sharedMigrations + migrations).map { try Migration(file: $0.file, $0.bytes) }
    }

    private static func migrate(_ service: ServiceName, _ migrations: [Migration]) async throws {
        let reader = SettingsReader(environment: ProcessInfo.processInfo.environment)
        let url = HouseConfiguration.databaseURL(reader, "MIGRATION_DATABASE_URL")
        let level = reader.choice("LOG_LEVEL", default: Logger.Level.info)
        try reader.finish()
        let logger = self.bootstrapLogging(service, level)
        let applied = try await Migrator(migrations, schema: service.rawValue, logger: logger).migrate(url: url)
        logger.info("Migrated", metadata: ["applied": .array(applied.map { "\($0)" })])
    }

    /// Reads everything and names every fault at once.
    package static func configure<Configuration: ServiceConfiguration>(
        _ service: ServiceName,
        _ type: Configuration.Type,
        _ reader: SettingsReader
    ) throws -> (house: HouseConfiguration, own: Configuration, keyRing: KeyRing) {
        let house = try HouseConfiguration(reader, service: service)
        let own = Configuration(reader)
        let keyRing = house.keyRing(reader)
        try reader.finish()
        guard let keyRing else { throw ConfigurationFaults(faults: [.init(variable: "ENCRYPTION_KEY", reason: "cannot be used")]) }
        return (house, own, keyRing)
    }

    private static func serve<Configuration: ServiceConfiguration>(
        _ service: ServiceName,
        _ migrations: [Migration],
        _ type: Configuration.Type,
        _ build: (House, Configuration) async throws -> Assembly
    ) async throws {
        let reader = SettingsReader(environment: ProcessInfo.processInfo.environment)
        let (configuration, own, keyRing) = try self.configure(service, type, reader)
        let logger = self.bootstrapLogging(service, configuration.logLevel)
        let metrics = MetricsRegistry()
        let process = ProcessMetrics()
        metrics.collect { process.samples() }
        MetricsSystem.bootstrap(metrics)

        let database = Postgres(configuration.database, logger: logger)
        let house = try House(configuration, keyRing: keyRing, database: database, metrics: metrics, logger: logger)
        if !configuration.outboundAllow.isEmpty {
            logger.warning("The outbound guard is opened", metadata: ["outbound_allow": "\(configuration.outboundAllow)"])
        }
        let assembly = try await build(house, own)
        let migrator = Migrator(migrations, schema: service.rawValue, logger: logger)
        try await HouseProcess(house: house, assembly: assembly, migrator: migrator).run(
            limit: self.shutdownLimit,
            workGrace: self.workGrace
        )
        logger.info("Stopped")
    }

    private static func bootstrapLogging(_ service: ServiceName, _ level: Logger.Level) -> Logger {
        let sink = LogSink(descriptor: STDERR_FILENO)
        LoggingSystem.bootstrap { label in JSONLogHandler(label: label, service: service, level: level, sink: sink) }
        return Logger(label: service.rawValue)
    }
}

extension HouseConfiguration {
    package var database: DatabaseConfiguration {
        var database = DatabaseConfiguration(url: self.databaseURL, schema: self.service.rawValue, applicationName: self.service.rawValue)
        database.readConnections = self.readConnections
        database.writeConnections = self.writeConnections
        database.waitLimit = self.databaseWaitLimit
        return database
    }
}
