import Database
import Encryption
import Foundation
import Logging
import Models
import ServiceKit
import Transport

/// Everything that the routes and workers stand on; tests build it with their own.
struct IntegrationsParts: Sendable {
    var database: Postgres
    var cipher: Cipher
    var outbox: Outbox
    var idempotency: Idempotency
    var providers: Providers
    var configuration: IntegrationsConfiguration
    var logger: Logger
    /// Closed at the end.
    var mailClient: SMTPClient
    /// Brings a nudge to campaigns.
    var nudgeCampaigns: @Sendable (OrganizationID) async throws -> Void
}

struct IntegrationsAssembly: Sendable {
    let parts: IntegrationsParts
    let integrations: IntegrationStore
    let syncs: SyncStore
    let health: ConnectionHealth
    let outbound: OutboundStore
    let nudger: ChangeNudger
    let wake: WakeSignal

    init(_ parts: IntegrationsParts) {
        self.parts = parts
        let wake = WakeSignal("integrations_sync", database: parts.database)
        self.wake = wake
        self.integrations = IntegrationStore(
            database: parts.database,
            vault: CredentialVault(database: parts.database, cipher: parts.cipher)
        )
        self.syncs = SyncStore(
            database: parts.database,
            outbox: parts.outbox,
            wakeChannel: wake.channel,
            lease: parts.configuration.syncLease
        )
        self.health = ConnectionHealth(database: parts.database, outbox: parts.outbox)
        self.outbound = OutboundStore(database: parts.database, lease: parts.configuration.sendLease)
        self.nudger = ChangeNudger(logger: parts.logger, send: parts.nudgeCampaigns)
    }

    var sendHouse: SendSession.House {
        SendSession.House(
            store: self.outbound,
            ledger: MessageLedger(store: self.outbound, logger: self.parts.logger),
            lanes: Lanes(),
            health: self.health,
            logger: self.parts.logger
        )
    }

    var syncWorker: SyncWorker {
        let nudger = self.nudger
        return SyncWorker(
            providers: self.parts.providers,
            integrations: self.integrations,
            syncs: self.syncs,
            nudge: { nudger.nudge($0) },
            logger: self.parts.logger
        )
    }

    func assembled() -> Assembly {
        Assembly(workers: self.workers()) { table in self.mount(on: table) }
    }

    func mount(on table: RouteTable) {
        CatalogueRoutes(providers: self.parts.providers).mount(on: table)
        IntegrationRoutes(
            providers: self.parts.providers,
            integrations: self.integrations,
            syncs: self.syncs,
            health: self.health,
            outbox: self.parts.outbox,
            idempotency: self.parts.idempotency,
            defaultInterval: self.parts.configuration.syncInterval
        ).mount(on: table)
        SyncRoutes(
            providers: self.parts.providers,
            integrations: self.integrations,
            syncs: self.syncs,
            outbox: self.parts.outbox
        ).mount(on: table)
        ChangeFeedRoutes(feed: ChangeFeedStore(database: self.parts.database)).mount(on: table)
        self.admin.mount(on: table)
        SendRoutes(providers: self.parts.providers, integrations: self.integrations, house: self.sendHouse).mount(on: table)
    }

    var adminStore: IntegrationAdminStore { IntegrationAdminStore(database: self.parts.database) }

    private var admin: IntegrationAdminRoutes {
        IntegrationAdminRoutes(
            providers: self.parts.providers,
            store: self.adminStore,
            tester: BulkTester(
                providers: self.parts.providers,
                integrations: self.integrations,
                health: self.health,
                logger: self.parts.logger
            )
        )
    }

    private func workers() -> [Assembly.Worker] {
        let syncs = self.syncs
        let worker = self.syncWorker
        let owner = EventID.make("own")
        let loop = WorkLoop<SyncRun>(
            "sync",
            wake: self.wake,
            poll: .seconds(5),
            concurrency: self.parts.configuration.syncConcurrency,
            logger: self.parts.logger,
            claim: { limit in
                try await syncs.scheduleDue()
                return try await syncs.claim(limit, owner: owner)
            },
            work: { run in try await worker.work(run) }
        )
        let sweeper = DoubtSweeper(store: self.outbound, interval: .seconds(5), logger: self.parts.logger)
        return [
            .init("sync", loop), .init("change-nudger", self.nudger), .init("doubt-sweeper", sweeper),
            .init("mail-client", MailClientService(client: self.parts.mailClient)),
        ]
    }
}

extension IntegrationsAssembly {
    init(_ house: House, _ configuration: IntegrationsConfiguration) throws {
        let campaigns = house.client(.campaigns)
        let smtp = Self.mailClient(house, configuration)
        self.init(
            IntegrationsParts(
                database: house.database,
                cipher: try Cipher(house.keyRing, purpose: CredentialVault.purpose),
                outbox: house.outbox,
                idempotency: house.idempotency,
                providers: Self.providers(house, configuration, smtp),
                configuration: configuration,
                logger: house.logger,
                mailClient: smtp,
                nudgeCampaigns: { organization in
                    _ = try await campaigns.call(
                        .nudgeChanges,
                        body: ChangeNudge(organizationID: organization),
                        isIdempotent: true,
                        as: NoAnswer.self
                    )
                }
            )
        )
    }

    private static func mailClient(_ house: House, _ configuration: IntegrationsConfiguration) -> SMTPClient {
        let client = SMTPClient(
            SMTPClient.Configuration(
                maximumConnectionsPerServer: configuration.smtpConnections,
                replyTimeout: configuration.smtpReplyTimeout,
                guardRules: house.configuration.outboundGuard
            ),
            logger: house.logger
        )
        house.metrics.collect("smtp") { client.load }
        return client
    }

    private static func providers(_ house: House, _ configuration: IntegrationsConfiguration, _ smtp: SMTPClient) -> Providers {
        var timeouts = Timeouts()
        timeouts.total = min(.seconds(30), configuration.syncLease * 0.5)
        let clientName = configuration.smtpClientName ?? URL(string: house.configuration.publicURL)?.host() ?? "localhost"
        return Providers([
            HubSpotProvider(client: HubSpotClient(baseURL: configuration.hubSpotBaseURL, http: house.providers, timeouts: timeouts)),
            SendGridProvider(baseURL: configuration.sendGridBaseURL, http: house.providers, lanes: configuration.sendGridConcurrency),
            SMTPProvider(
                client: smtp,
                lanes: configuration.smtpConnections,
                replyTimeout: configuration.smtpReplyTimeout,
                clientName: clientName,
                guardRules: house.configuration.outboundGuard
            ),
        ])
    }
}
