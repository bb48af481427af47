import Database
import Encryption
import Logging
import Models
import ServiceKit
import Transport

/// The service put together: stores, routes and workers over what the house gives.
struct WebhooksParts: Sendable {
    struct Dependencies: Sendable {
        var database: Postgres
        var keyRing: KeyRing
        /// Guarded: it reaches only what ``outboundGuard`` allows.
        var strangers: HTTPClient
        var outboundGuard: OutboundGuard
        var idempotency: Idempotency
        var outbox: Outbox
        var logger: Logger
    }

    let eventTypes: EventTypeRoutes
    let intake: EventIntake
    let trigger: TriggerRoutes
    let subscriptions: SubscriptionRoutes
    let changes: SubscriptionChangeRoutes
    let templates: TemplatePreviewRoutes
    let eventRoutes: EventRoutes
    let redelivery: RedeliveryRoutes
    let replays: ReplayRoutes
    let replayWorker: ReplayWorker
    let log: DeliveryLog
    let admin: WebhookAdminRoutes
    let worker: DeliveryWorker
    let settlements: SettlementStore
    let vault: SubscriptionVault
    let sweeper: SubscriptionSweeper
    let signingKeys: SigningKeyStore
    let signing: SigningKeyRoutes
    let signingSweeper: SigningKeySweeper
    let partitions: DayPartitions
    let due: WakeSignal
    private let concurrency: Int
    private let logger: Logger

    init(_ house: House, _ configuration: WebhooksConfiguration) throws {
        try self.init(
            Dependencies(
                database: house.database,
                keyRing: house.keyRing,
                strangers: house.strangers,
                outboundGuard: house.configuration.outboundGuard,
                idempotency: house.idempotency,
                outbox: house.outbox,
                logger: house.logger
            ),
            configuration
        )
    }

    init(_ given: Dependencies, _ configuration: WebhooksConfiguration) throws {
        let vault = SubscriptionVault(cipher: try Cipher(given.keyRing, purpose: "subscriptions"))
        let due = WakeSignal(DeliveryQueue.signal, database: given.database)
        let ended = WakeSignal("webhooks_ended", database: given.database)
        let store = SubscriptionStore(database: given.database, vault: vault)
        self.due = due
        let samples = SampleStore(database: given.database)
        self.eventTypes = EventTypeRoutes(samples: samples)
        let events = EventStore(database: given.database, subscribers: Subscribers(), firstWait: configuration.schedule.first)
        let ends = SubscriptionEnds(events: events, outbox: given.outbox, ended: ended)
        self.intake = EventIntake(store: events, due: due, logger: given.logger)
        self.trigger = TriggerRoutes(store: events, idempotency: given.idempotency, due: due)
        self.templates = TemplatePreviewRoutes(samples: samples)
        self.changes = SubscriptionChangeRoutes(
            store: store,
            outboundGuard: given.outboundGuard,
            idempotency: given.idempotency,
            outbox: given.outbox,
            due: due
        )
        let replaysWake = WakeSignal("webhooks_replays", database: given.database)
        self.replays = ReplayRoutes(
            store: ReplayStore(database: given.database),
            idempotency: given.idempotency,
            outbox: given.outbox,
            wake: replaysWake
        )
        self.replayWorker = ReplayWorker(database: given.database, wake: replaysWake, due: due, logger: given.logger)
        self.redelivery = RedeliveryRoutes(
            maker: DeliveryMaker(events: events),
            idempotency: given.idempotency,
            outbox: given.outbox
        )
        self.subscriptions = SubscriptionRoutes(
            store: store,
            health: EndpointHealthStore(database: given.database),
            outboundGuard: given.outboundGuard,
            idempotency: given.idempotency,
            outbox: given.outbox,
            ended: ended
        )
        self.log = DeliveryLog(database: given.database)
        self.eventRoutes = EventRoutes(
            feed: EventFeed(database: given.database),
            log: self.log,
            explainer: DeliveryExplainer(database: given.database, log: self.log)
        )
        self.admin = WebhookAdminRoutes(
            log: EventLogStore(database: given.database),
            summaries: WebhookSummaryStore(database: given.database)
        )
        self.signingKeys = SigningKeyStore(
            database: given.database,
            vault: SigningKeyVault(cipher: try Cipher(given.keyRing, purpose: "signing_keys"))
        )
        self.vault = vault
        self.settlements = SettlementStore(
            database: given.database,
            ends: ends,
            perSubscription: configuration.concurrencyPerSubscription
        )
        self.worker = DeliveryWorker(
            queue: DeliveryQueue(
                database: given.database,
                endpoints: EndpointCache(database: given.database, vault: vault),
                caps: DeliveryQueue.Caps(
                    perSubscription: configuration.concurrencyPerSubscription,
                    perOrganization: configuration.concurrencyPerOrganization
                ),
                lease: DeliveryQueue.lease(timeout: configuration.timeout)
            ),
            sender: WebhookSender(client: given.strangers, signingKeys: self.signingKeys, timeout: configuration.timeout),
            settlements: self.settlements,
            schedule: configuration.schedule,
            due: due,
            logger: given.logger
        )
        self.sweeper = SubscriptionSweeper(database: given.database, ended: ended, logger: given.logger)
        self.signing = SigningKeyRoutes(store: self.signingKeys, idempotency: given.idempotency, outbox: given.outbox)
        self.signingSweeper = SigningKeySweeper(database: given.database, logger: given.logger)
        self.partitions = DayPartitions(
            database: given.database,
            retentionDays: configuration.retentionDays,
            logger: given.logger
        )
        self.concurrency = configuration.concurrency
        self.logger = given.logger
    }

    func assembly() -> Assembly {
        Assembly(workers: [
            Assembly.Worker("deliveries", self.worker.loop(concurrency: self.concurrency)),
            Assembly.Worker("ended subscriptions", self.sweeper.loop()),
            Assembly.Worker("replays", self.replayWorker.loop()),
            Assembly.Worker("day partitions", self.partitions),
            Assembly.Worker("old signing keys", self.signingSweeper),
        ]) { table in
            self.eventTypes.mount(in: table)
            IntakeRoutes(intake: self.intake).mount(in: table)
            self.trigger.mount(in: table)
            self.subscriptions.mount(in: table)
            self.changes.mount(in: table)
            self.templates.mount(in: table)
            self.eventRoutes.mount(in: table)
            DeliveryRoutes(log: self.log).mount(in: table)
            self.redelivery.mount(in: table)
            self.replays.mount(in: table)
            self.signing.mount(in: table)
            self.admin.mount(in: table)
        }
    }
}
