package import Database
package import Encryption
package import HummingbirdCore
package import Logging
package import Models
package import ServiceLifecycle
package import Transport

/// What a service is built from.
package struct House: Sendable {
    package let configuration: HouseConfiguration
    package let logger: Logger
    package let database: Postgres
    package let keyRing: KeyRing
    /// For the house's own services.
    package let inside: HTTPClient
    /// For URLs that tenants give: guarded.
    package let strangers: HTTPClient
    /// For operator-given base URLs of providers: same fair turns, no guard.
    package let providers: HTTPClient
    package let outbox: Outbox
    package let idempotency: Idempotency
    package let metrics: MetricsRegistry
    package let identities: IdentityKeys
    private let clients: [ServiceName: ServiceClient]

    package init(
        _ configuration: HouseConfiguration,
        keyRing: KeyRing,
        database: Postgres,
        metrics: MetricsRegistry = MetricsRegistry(),
        logger: Logger
    ) throws {
        let service = configuration.service
        let inside = HTTPClient(.inside(), logger: logger)
        let identities = try IdentityKeys(service: service, keys: configuration.internalKeys)
        self.configuration = configuration
        self.logger = logger
        self.database = database
        self.keyRing = keyRing
        self.inside = inside
        self.strangers = HTTPClient(.outside(guard: configuration.outboundGuard), logger: logger)
        self.providers = HTTPClient(.outside(guard: nil), logger: logger)
        self.outbox = Outbox(service: service, database: database)
        self.idempotency = try Idempotency(database: database, keyRing: keyRing)
        self.metrics = metrics
        self.identities = identities
        metrics.collect(database)
        for (name, client) in [("inside", inside), ("strangers", self.strangers), ("providers", self.providers)] {
            metrics.collect(name) { client.load }
        }
        self.clients = Dictionary(
            uniqueKeysWithValues: configuration.replicas.map { peer, urls in
                (peer, ServiceClient(from: service, to: peer, replicas: urls, identities: identities, client: inside))
            }
        )
    }

    /// The client of a service that this one calls (see `ServiceName.callees`).
    package func client(_ service: ServiceName) -> ServiceClient {
        guard let client = self.clients[service] else {
            preconditionFailure("\(self.configuration.service.rawValue) does not call \(service.rawValue)")
        }
        return client
    }

    /// Lets calls in flight end, then stops the clients' threads.
    package func shutdownClients(within grace: Duration) async {
        await withTaskGroup(of: Void.self) { group in
            for client in [self.inside, self.strangers, self.providers] {
                group.addTask { await client.shutdown(within: grace) }
            }
        }
    }
}

/// What a service adds to the house's own parts.
package struct Assembly: Sendable {
    package var mount: @Sendable (RouteTable) throws -> Void
    package var workers: [Worker]
    /// Checked by `/readyz` besides database and migrations.
    package var readiness: [ReadinessCheck]
    /// Runs once HTTP and all workers have stopped, while the database is still there: what was gathered until the last request is written.
    package var closing: @Sendable () async -> Void
    /// What lies before HTTP on the connections of this process; nil for plain HTTP/1.1.
    package var layer: (@Sendable (DoorParts) -> any ServerChildChannel)?

    package init(
        workers: [Worker] = [],
        readiness: [ReadinessCheck] = [],
        closing: @escaping @Sendable () async -> Void = {},
        mount: @escaping @Sendable (RouteTable) throws -> Void
    ) {
        self.workers = workers
        self.readiness = readiness
        self.closing = closing
        self.mount = mount
    }

    /// A part that runs from the moment when the schema was found in order until graceful shutdown.
    package struct Worker: Sendable {
        let name: String
        let service: any Service

        package init(_ name: String, _ service: any Service) {
            self.name = name
            self.service = service
        }
    }
}
