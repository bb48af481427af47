import ServiceKit

/// What the gateway reads from the environment beside the variables of every process.
struct GatewayConfiguration: ServiceConfiguration {
    /// `ACCESS_TOKEN_SECONDS` (900): how long an access token lives.
    var accessTokenSeconds: Int
    /// `REFRESH_TOKEN_SECONDS` (2592000, 30 days): how long a refresh token lives; a session that is not refreshed for so long ends.
    var refreshTokenSeconds: Int
    /// `API_RATE_LIMIT_DEFAULT` (1000): units an hour of each API key in an organization of the default tier.
    var defaultRateLimit: Int
    /// `API_RATE_LIMIT_PREMIUM` (10000): the same for the premium tier.
    var premiumRateLimit: Int
    /// `AUTH_CACHE_ENTRIES` (50000): tokens and keys remembered at most.
    var authCacheEntries: Int
    /// `AUTH_CACHE_SECONDS` (30): how long one is remembered. A revocation ends it in every replica at once, whatever stands here.
    var authCacheLifetime: Duration
    /// `MAX_REQUEST_BYTES` (33554432, 32 MiB): larger request bodies are refused with 413.
    var maximumRequestBytes: Int
    /// `DOCS_ASSETS` (none): directory of swagger-ui's files; without it `/docs` only leads to the raw document.
    var docsAssets: String?

    init(_ reader: SettingsReader) {
        self.accessTokenSeconds = reader.integer("ACCESS_TOKEN_SECONDS", default: 900, in: 60...86_400)
        self.refreshTokenSeconds = reader.integer("REFRESH_TOKEN_SECONDS", default: 2_592_000, in: 3_600...31_536_000)
        self.defaultRateLimit = reader.integer("API_RATE_LIMIT_DEFAULT", default: 1_000, in: 1...1_000_000_000)
        self.premiumRateLimit = reader.integer("API_RATE_LIMIT_PREMIUM", default: 10_000, in: 1...1_000_000_000)
        self.authCacheEntries = reader.integer("AUTH_CACHE_ENTRIES", default: 50_000, in: 2...10_000_000)
        self.authCacheLifetime = reader.seconds("AUTH_CACHE_SECONDS", default: 30, in: 0...300)
        self.maximumRequestBytes = reader.integer("MAX_REQUEST_BYTES", default: 32 << 20, in: 1_024...(1 << 30))
        self.docsAssets = reader.optionalString("DOCS_ASSETS")
    }
}
