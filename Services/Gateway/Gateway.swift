import Hummingbird
import Models
import ServiceKit
import ServiceLifecycle

/// The gateway's parts, put together.
struct Gateway: Sendable {
    let cache: CredentialCache
    private let security: SecurityHeaders
    let tls: TLSKeeper?
    private let cors: CORSPolicy?
    private let guardian: RequestGuard
    let accounts: AccountParts
    private let keys: APIKeyRoutes
    private let audit: AuditRoutes
    private let usage: UsageRoutes
    private let notices: NoticeRoutes
    private let admin: AdminRoutes
    let requestLog: RequestLog
    private let auditHeads: AuditHeadLog
    private let lastUsed: LastUsed
    private let document: DocumentRoutes
    private let docs: DocsPage
    private let problems: ProblemPages
    private let proxy: ReverseProxy
    let lane: ProxyLane
    /// Mail to members.
    var mails: MailQueue { self.accounts.mails }
    /// What runs beside the server.
    let workers: [(name: String, service: any Service)]

    init(_ house: House, _ configuration: GatewayConfiguration) throws {
        let database = house.database
        let auditStore = AuditStore(database: database, chain: try AuditChain(house.keyRing))
        let keyStore = APIKeyStore(database: database)
        let sessionStore = SessionStore(
            database: database,
            accounts: AccountStore(database: database),
            audit: auditStore,
            accessSeconds: configuration.accessTokenSeconds,
            refreshSeconds: configuration.refreshTokenSeconds
        )
        let cache = CredentialCache(capacity: configuration.authCacheEntries, lifetime: configuration.authCacheLifetime)
        self.cache = cache
        let lastUsed = LastUsed(store: keyStore, logger: house.logger)
        let presence = try ReplicaPresence(database: database, logger: house.logger)
        let (rings, ring) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingNewest(1))
        let limitStore = RateLimitStore(database: database, watched: configuration.limits.watched)
        let limiter = RateLimiter(store: limitStore, presence: presence, logger: house.logger) { ring.yield() }
        house.metrics.collect(limiter)
        let tls = try configuration.tls.map { try TLSKeeper($0, logger: house.logger) }
        self.tls = tls
        self.security = SecurityHeaders(isSecure: tls != nil || house.configuration.publicURL.hasPrefix("https://"))
        self.cors = configuration.cors
        let sessionUses = SessionUses(store: sessionStore, logger: house.logger)
        let authenticator = Authenticator(
            cache: cache,
            store: CredentialStore(database: database, limits: configuration.limits),
            sessionUses: sessionUses
        )
        self.guardian = RequestGuard(
            authenticator: authenticator,
            limiter: limiter,
            limits: configuration.limits,
            lastUsed: lastUsed
        )
        self.accounts = try AccountParts(
            house,
            way: configuration.mail.way(in: house.configuration.environment, publicURL: house.configuration.publicURL),
            audit: auditStore,
            sessions: sessionStore,
            sessionUses: sessionUses,
            authenticator: authenticator
        )
        self.keys = APIKeyRoutes(
            database: database,
            keys: keyStore,
            audit: auditStore,
            idempotency: house.idempotency,
            format: house.configuration.environment == .production ? .liveKey : .testKey
        )
        self.audit = AuditRoutes(store: auditStore, reader: AuditReader(database: database))
        let notices = NoticeStore(
            database: database,
            mails: self.accounts.mails,
            texts: MailTexts(publicURL: house.configuration.publicURL)
        )
        self.notices = NoticeRoutes(
            store: notices,
            feed: NoticeFeed(database: database),
            settings: NoticeSettingsStore(database: database)
        )
        let quotaTeller = QuotaTeller(
            crossings: QuotaCrossingStore(database: database),
            notices: notices,
            outbox: house.outbox,
            wake: WakeSignal(RateLimitStore.crossingWakeName, database: database),
            logger: house.logger
        )
        self.usage = UsageRoutes(usage: UsageStore(database: database), keys: keyStore)
        self.admin = AdminRoutes(house, limits: configuration.limits, limiter: limiter, mailFate: self.accounts.mails.way.fate)
        let requestLogs = RequestLogStore(database: database)
        self.requestLog = RequestLog(store: requestLogs, logger: house.logger)
        self.auditHeads = AuditHeadLog(database: database, logger: house.logger)
        self.lastUsed = lastUsed
        let served = ServedDocument(publicURL: house.configuration.publicURL)
        self.document = DocumentRoutes(document: served)
        self.docs = DocsPage(assets: DocsAssets(directory: configuration.docsAssets))
        self.problems = ProblemPages()
        self.proxy = ReverseProxy(
            guardian: self.guardian,
            security: self.security,
            publicURL: house.configuration.publicURL,
            maximumRequestBytes: configuration.maximumRequestBytes,
            client: house.client
        )
        self.lane = ProxyLane(proxy: self.proxy, cors: configuration.cors)
        let lane = self.lane
        house.metrics.collect { [MetricsRegistry.Sample("gateway_fast_lane_requests_total", .counter, value: Double(lane.count))] }
        self.workers =
            [
                ("revocation_feed", try RevocationFeed(database: database, cache: cache, logger: house.logger)),
                ("key_uses", lastUsed),
                ("replica_presence", presence),
                ("limit_keeper", LimitKeeper(limiter: limiter, rings: rings, logger: house.logger)),
                ("request_log", self.requestLog),
                (
                    "request_log_days",
                    RequestLogKeeper(
                        store: requestLogs,
                        rotations: KeyRotationStore(database: database),
                        requestLogDays: configuration.requestLogDays,
                        usageDays: configuration.usageDays,
                        logger: house.logger
                    )
                ),
                ("audit_heads", self.auditHeads),
                ("sweeper", Sweeper(database: database, noticeDays: configuration.noticeDays, logger: house.logger)),
                ("quota_warnings", quotaTeller.loop()),
            ] + self.accounts.workers + (tls.map { [("tls", $0)] } ?? [])
    }

    func assembly() -> Assembly {
        var assembly = Assembly(
            workers: self.workers.map { Assembly.Worker($0.name, $0.service) },
            closing: {
                await self.requestLog.flush()
                await self.lastUsed.flushOrKeep()
                await self.auditHeads.publishOrReport()
            }
        ) { table in
            table.observe(self.requestLog.note)
            if let cors { table.intercept(cors.handle) }
            table.authenticate { request, context, route in
                self.security.add(to: context)
                return try await self.guardian.admit(request, context, route)
            }
            table.admitStrangers { context, route in
                self.security.add(to: context)
                try await self.guardian.admitStranger(context, route)
            }
            self.accounts.mount(on: table)
            self.keys.mount(on: table)
            self.audit.mount(on: table)
            self.usage.mount(on: table)
            self.notices.mount(on: table)
            self.admin.mount(on: table)
            self.document.mount(on: table)
            self.docs.mount(on: table)
            self.problems.mount(on: table)
            table.fallback(self.proxy.handle)
            table.lane(self.lane)
        }
        if let tls { assembly.layer = { SecureChannel(parts: $0, keeper: tls) } }
        return assembly
    }
}
