import Database
import Logging
import Models
import ServiceLifecycle
import UnixSignals

/// The running parts of one process, in the order in which they stop.
struct HouseProcess {
    /// HTTP waits this long for the schema check before it listens: `/readyz` says no until Postgres is there.
    private static let patience = Duration.seconds(3)

    let house: House
    let assembly: Assembly
    let migrator: Migrator

    func run(limit: Duration, workGrace: Duration) async throws {
        let logger = self.house.logger
        let gate = Gate()
        let front = FrontServices(parts: try self.parts(gate), grace: workGrace, logger: logger)
        // Services stop from the last to the first, each after the one behind it.
        var group = ServiceGroupConfiguration(
            services: [
                .init(service: self.house.database, serviceName: "database"),
                .init(service: ClientsService(house: self.house), serviceName: "clients"),
                .init(service: ClosingService(closing: self.assembly.closing), serviceName: "closing"),
                .init(
                    service: SchemaGate(database: self.house.database, migrator: self.migrator, gate: gate, logger: logger),
                    serviceName: "schema"
                ),
                .init(service: front, successTerminationBehavior: .gracefullyShutdownGroup, serviceName: "front"),
            ],
            gracefulShutdownSignals: [.sigterm, .sigint],
            logger: logger
        )
        group.maximumGracefulShutdownDuration = limit
        try await ServiceGroup(configuration: group).run()
    }

    private func parts(_ gate: Gate) throws -> [FrontServices.Part] {
        let table = RouteTable(service: self.house.configuration.service)
        try self.assembly.mount(table)
        for route in table.unmounted {
            self.house.logger.warning("Nothing serves a route of the catalogue", metadata: ["route": "\(route.name)"])
        }
        var parts = [
            FrontServices.Part(
                name: "http",
                service: GatedService(service: self.server(table, gate), gate: gate, patience: Self.patience)
            ),
            FrontServices.Part(
                name: "outbox_gauges",
                service: GatedService(service: OutboxGauges(outbox: self.house.outbox, logger: self.house.logger), gate: gate)
            ),
            FrontServices.Part(
                name: "idempotency_purge",
                service: GatedService(
                    service: IdempotencyPurge(database: self.house.database, logger: self.house.logger),
                    gate: gate
                )
            ),
        ]
        for worker in self.relays + self.assembly.workers {
            parts.append(FrontServices.Part(name: worker.name, service: GatedService(service: worker.service, gate: gate)))
        }
        return parts
    }

    /// Events go to webhooks, audit entries to the gateway; each of the two keeps its own where they belong.
    private var relays: [Assembly.Worker] {
        let service = self.house.configuration.service
        return [ServiceName.webhooks, .gateway].filter { $0 != service && service.callees.contains($0) }.map { destination in
            Assembly.Worker(
                "outbox_\(destination.rawValue)",
                OutboxRelay(
                    to: destination,
                    outbox: self.house.outbox,
                    client: self.house.client(destination),
                    logger: self.house.logger
                )
            )
        }
    }

    private func server(_ table: RouteTable, _ gate: Gate) -> HouseServer {
        let configuration = self.house.configuration
        let logger = self.house.logger
        let database = self.house.database
        var settings = HouseServer.Settings(host: configuration.host, port: configuration.port)
        settings.maximumConnections = configuration.maximumConnections
        settings.trustedProxies = configuration.service == .gateway ? configuration.trustedProxies : []
        // The other processes are reached by the house alone.
        settings.connectionsPerAddress = configuration.service == .gateway ? configuration.connectionsPerAddress : 0
        settings.metricsAccess = MetricsAccess(configuration)
        settings.layer = self.assembly.layer
        let readiness = [
            ReadinessCheck("database") { await database.ping() },
            ReadinessCheck("schema") { gate.isOpen },
        ]
        return HouseServer(
            table,
            service: configuration.service,
            identities: self.house.identities,
            settings: settings,
            operations: (metrics: self.house.metrics, readiness: readiness + self.assembly.readiness),
            logger: logger,
            onListening: { port in logger.info("Listening", metadata: ["host": "\(configuration.host)", "port": "\(port)"]) }
        )
    }
}
