import Hummingbird
import Models
import ServiceKit
import ServiceLifecycle

/// The gateway's parts, put together.
struct Gateway: Sendable {
    let cache: CredentialCache
    private let security: SecurityHeaders
    private let guardian: RequestGuard
    private let accounts: AccountRoutes
    private let sessions: SessionRoutes
    private let keys: APIKeyRoutes
    private let audit: AuditRoutes
    private let document: DocumentRoutes
    private let docs: DocsPage
    private let problems: ProblemPages
    private let proxy: ReverseProxy
    /// What runs beside the server.
    let workers: [(name: String, service: any Service)]

    init(_ house: House, _ configuration: GatewayConfiguration) throws {
        let database = house.database
        let auditStore = AuditStore(database: database)
        let accountStore = AccountStore(database: database)
        let keyStore = APIKeyStore(database: database)
        let sessionStore = SessionStore(
            database: database,
            accounts: accountStore,
            audit: auditStore,
            accessSeconds: configuration.accessTokenSeconds,
            refreshSeconds: configuration.refreshTokenSeconds
        )
        let cache = CredentialCache(capacity: configuration.authCacheEntries, lifetime: configuration.authCacheLifetime)
        self.cache = cache
        let lastUsed = LastUsed(store: keyStore, logger: house.logger)
        let limits = TierLimits(standard: Int64(configuration.defaultRateLimit), premium: Int64(configuration.premiumRateLimit))
        self.security = SecurityHeaders(publicURL: house.configuration.publicURL)
        self.guardian = RequestGuard(
            authenticator: Authenticator(cache: cache, store: CredentialStore(database: database, limits: limits)),
            limiter: RateLimiter(store: RateLimitStore(database: database)),
            lastUsed: lastUsed
        )
        self.accounts = AccountRoutes(
            database: database,
            accounts: accountStore,
            sessions: sessionStore,
            audit: auditStore,
            security: self.security,
            logger: house.logger
        )
        self.sessions = SessionRoutes(sessions: sessionStore, security: self.security)
        self.keys = APIKeyRoutes(
            database: database,
            keys: keyStore,
            audit: auditStore,
            idempotency: house.idempotency,
            format: house.configuration.environment == .production ? .liveKey : .testKey
        )
        self.audit = AuditRoutes(store: auditStore)
        let served = ServedDocument(publicURL: house.configuration.publicURL)
        self.document = DocumentRoutes(document: served, security: self.security)
        self.docs = DocsPage(assets: DocsAssets(directory: configuration.docsAssets), security: self.security)
        self.problems = ProblemPages(security: self.security)
        self.proxy = ReverseProxy(
            guardian: self.guardian,
            security: self.security,
            publicURL: house.configuration.publicURL,
            maximumRequestBytes: configuration.maximumRequestBytes,
            client: house.client
        )
        self.workers = [
            ("revocation_feed", try RevocationFeed(database: database, cache: cache, logger: house.logger)),
            ("key_uses", lastUsed),
            ("sweeper", Sweeper(database: database, logger: house.logger)),
        ]
    }

    func assembly() -> Assembly {
        Assembly(workers: self.workers.map { Assembly.Worker($0.name, $0.service) }) { table in
            table.authenticate { request, context, route in
                self.security.add(to: context)
                return try await self.guardian.admit(request, context, route)
            }
            self.accounts.mount(on: table)
            self.sessions.mount(on: table)
            self.keys.mount(on: table)
            self.audit.mount(on: table)
            self.document.mount(on: table)
            self.docs.mount(on: table)
            self.problems.mount(on: table)
            table.fallback(self.proxy.handle)
        }
    }
}
