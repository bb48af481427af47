import Models
import ServiceKit

/// The loops that a change of a campaign wakes.
struct SendingWakes: Sendable {
    let prepare: WakeSignal
    let dispatch: WakeSignal
}

/// Puts the service together: stores, routes, workers.
struct CampaignsAssembly {
    let house: House
    let configuration: CampaignsConfiguration
    let wakes: SendingWakes
    let feedWake: WakeSignal
    let backlog = FeedBacklog()

    init(_ house: House, _ configuration: CampaignsConfiguration) {
        self.house = house
        self.configuration = configuration
        self.wakes = SendingWakes(
            prepare: WakeSignal("campaigns_prepare", database: house.database),
            dispatch: WakeSignal("campaigns_dispatch", database: house.database)
        )
        self.feedWake = WakeSignal("campaigns_feed", database: house.database)
    }

    var assembly: Assembly {
        Assembly(workers: self.workers, mount: self.mount)
    }

    private var mount: @Sendable (RouteTable) throws -> Void {
        let database = self.house.database
        let campaigns = CampaignStore(database: database)
        let contactRoutes = ContactRoutes(contacts: ContactStore(database: database))
        let feedRoutes = FeedRoutes(backlog: self.backlog, wake: self.feedWake)
        let messageRoutes = MessageRoutes(messages: MessageStore(database: database), campaigns: campaigns)
        let analyticsRoutes = AnalyticsRoutes(analytics: AnalyticsStore(database: database))
        let campaignRoutes = CampaignRoutes(
            campaigns: campaigns,
            database: database,
            idempotency: self.house.idempotency,
            outbox: self.house.outbox,
            wakes: self.wakes,
            senders: SenderCheck(self.house.client(.integrations))
        )
        return { table in
            contactRoutes.mount(on: table)
            feedRoutes.mount(on: table)
            campaignRoutes.mount(on: table)
            messageRoutes.mount(on: table)
            analyticsRoutes.mount(on: table)
        }
    }

    private var workers: [Assembly.Worker] {
        let logger = self.house.logger
        let follower = FeedFollower(
            feed: FeedStore(database: self.house.database),
            integrations: self.house.client(.integrations),
            backlog: self.backlog,
            wake: self.feedWake,
            logger: logger
        )
        let expander = Expander(
            store: ExpansionStore(
                database: self.house.database,
                outbox: self.house.outbox,
                dispatchChannel: self.wakes.dispatch.channel
            ),
            completion: self.completion,
            logger: logger
        )
        let housekeeping = Housekeeping(
            store: HousekeepingStore(database: self.house.database),
            completion: self.completion,
            dispatch: self.wakes.dispatch,
            resendAfter: self.configuration.resendAfter,
            interval: .seconds(2),
            logger: logger
        )
        return [
            .init("feed", follower.loop(poll: self.configuration.feedPollInterval)),
            .init("prepare", expander.loop(wake: self.wakes.prepare)),
            .init("dispatch", self.dispatcher.loop(wake: self.wakes.dispatch, concurrency: self.configuration.sendConcurrency)),
            .init("doubts", self.dispatcher.doubtLoop(wake: self.wakes.dispatch)),
            .init("housekeeping", housekeeping),
        ]
    }

    private var completion: Completion { Completion(database: self.house.database, outbox: self.house.outbox) }

    private var dispatcher: Dispatcher {
        let sizer = BatchSizer(limit: self.configuration.sendBatchLimit)
        return Dispatcher(
            claims: ClaimStore(database: self.house.database, sizer: sizer, lease: self.configuration.sendLease),
            settlements: SettlementStore(database: self.house.database),
            completion: self.completion,
            exchange: SendExchange(integrations: self.house.client(.integrations)),
            sizer: sizer,
            rules: SettlementRules(attemptLimit: self.configuration.sendAttemptLimit),
            limits: .init(lease: self.configuration.sendLease, refusals: self.configuration.sendRefusalLimit),
            logger: self.house.logger
        )
    }
}
