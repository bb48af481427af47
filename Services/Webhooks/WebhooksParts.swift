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
    let log: DeliveryLog
    let admin: WebhookAdminRoutes
    let worker: DeliveryWorker
    let sweeper: SubscriptionSweeper
    let partitions: EventPartitions
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
        self.eventTypes = EventTypeRoutes(samples: SampleStore(database: given.database))
        let events = EventStore(database: given.database, firstWait: configuration.schedule.first)
        self.intake = EventIntake(store: events, due: due, logger: given.logger)
        self.trigger = TriggerRoutes(store: events, idempotency: given.idempotency, due: due)
        self.subscriptions = SubscriptionRoutes(
            store: store,
            outboundGuard: given.outboundGuard,
            idempotency: given.idempotency,
            outbox: given.outbox,
            ended: ended
        )
        self.log = DeliveryLog(database: given.database)
        self.admin = WebhookAdminRoutes(
            log: EventLogStore(database: given.database),
            summaries: WebhookSummaryStore(database: given.database)
        )
        self.worker = DeliveryWorker(
            queue: DeliveryQueue(
                database: given.database,
                events: events,
                perSubscription: configuration.concurrencyPerSubscription,
                lease: DeliveryQueue.lease(timeout: configuration.timeout)
            ),
            sender: WebhookSender(client: given.strangers, vault: vault, timeout: configuration.timeout),
            schedule: configuration.schedule,
            due: due,
            ended: ended,
            logger: given.logger
        )
        self.sweeper = SubscriptionSweeper(database: given.database, ended: ended, logger: given.logger)
        self.partitions = EventPartitions(database: given.database, logger: given.logger)
        self.concurrency = configuration.concurrency
        self.logger = given.logger
    }

    func assembly() -> Assembly {
        Assembly(workers: [
            Assembly.Worker("deliveries", self.worker.loop(concurrency: self.concurrency)),
            Assembly.Worker("ended subscriptions", self.sweeper.loop()),
            Assembly.Worker("event partitions", self.partitions),
        ]) { table in
            self.eventTypes.mount(in: table)
            IntakeRoutes(intake: self.intake).mount(in: table)
            self.trigger.mount(in: table)
            self.subscriptions.mount(in: table)
            DeliveryRoutes(log: self.log).mount(in: table)
            self.admin.mount(in: table)
        }
    }
}
