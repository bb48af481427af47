import Hummingbird
import Models
import ServiceKit
import ServiceLifecycle

/// The gateway's parts, put together.
struct Gateway: Sendable {
    let cache: CredentialCache
    private let security: SecurityHeaders
    private let guardian: RequestGuard
    private let accounts: AccountParts
    private let keys: APIKeyRoutes
    private let audit: AuditRoutes
    private let proxy: ReverseProxy
    /// Mail to members.
    var mails: MailQueue { self.accounts.mails }
    /// What runs beside the server.
    let workers: [(name: String, service: any Service)]

    init(_ house: House, _ configuration: GatewayConfiguration) throws {
        let database = house.database
        let auditStore = AuditStore(database: database)
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
        let limits = TierLimits(standard: Int64(configuration.defaultRateLimit), premium: Int64(configuration.premiumRateLimit))
        self.security = SecurityHeaders(publicURL: house.configuration.publicURL)
        let sessionUses = SessionUses(store: sessionStore, logger: house.logger)
        let authenticator = Authenticator(
            cache: cache,
            store: CredentialStore(database: database, limits: limits),
            sessionUses: sessionUses
        )
        self.guardian = RequestGuard(
            authenticator: authenticator,
            limiter: RateLimiter(store: RateLimitStore(database: database)),
            lastUsed: lastUsed
        )
        self.accounts = try AccountParts(
            house,
            way: configuration.mail.way(in: house.configuration.environment, publicURL: house.configuration.publicURL),
            audit: auditStore,
            sessions: sessionStore,
            sessionUses: sessionUses,
            authenticator: authenticator,
            security: self.security
        )
        self.keys = APIKeyRoutes(
            database: database,
            keys: keyStore,
            audit: auditStore,
            idempotency: house.idempotency,
            format: house.configuration.environment == .production ? .liveKey : .testKey
        )
        self.audit = AuditRoutes(store: auditStore)
        self.proxy = ReverseProxy(
            guardian: self.guardian,
            security: self.security,
            publicURL: house.configuration.publicURL,
            maximumRequestBytes: configuration.maximumRequestBytes,
            client: house.client
        )
        self.workers =
            [
                ("revocation_feed", try RevocationFeed(database: database, cache: cache, logger: house.logger)),
                ("key_uses", lastUsed),
                ("sweeper", Sweeper(database: database, logger: house.logger)),
            ] + self.accounts.workers
    }

    func assembly() -> Assembly {
        Assembly(workers: self.workers.map { Assembly.Worker($0.name, $0.service) }) { table in
            table.authenticate { request, context, route in
                self.security.add(to: context)
                return try await self.guardian.admit(request, context, route)
            }
            self.accounts.mount(on: table)
            self.keys.mount(on: table)
            self.audit.mount(on: table)
            table.fallback(self.proxy.handle)
        }
    }
}
