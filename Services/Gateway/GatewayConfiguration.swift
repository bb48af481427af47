import ServiceKit

/// What the gateway reads from the environment beside the variables of every process.
struct GatewayConfiguration: ServiceConfiguration {
    /// `ACCESS_TOKEN_SECONDS` (900): how long an access token lives.
    var accessTokenSeconds: Int
    /// `REFRESH_TOKEN_SECONDS` (2592000, 30 days): how long a refresh token lives; a session that is not refreshed for so long ends.
    var refreshTokenSeconds: Int
    var limits: LimitSettings
    /// `AUTH_CACHE_ENTRIES` (50000): tokens and keys remembered at most.
    var authCacheEntries: Int
    /// `AUTH_CACHE_SECONDS` (30): how long one is remembered. A revocation ends it in every replica at once, whatever stands here.
    var authCacheLifetime: Duration
    /// `MAX_REQUEST_BYTES` (33554432, 32 MiB): larger request bodies are refused with 413.
    var maximumRequestBytes: Int
    /// `CORS_ORIGINS` (none): origins whose pages may call the API from a browser.
    var cors: CORSPolicy?
    /// `REQUEST_LOG_DAYS` (30): days that each API request's row is kept.
    var requestLogDays: Int
    /// `USAGE_DAYS` (400): days that the hourly sums of requests are kept.
    var usageDays: Int
    /// `NOTICE_DAYS` (90): days that notices stay in the feed after they last came up.
    var noticeDays: Int
    /// `MAIL_SMTP_HOST` and what belongs to it.
    var mail: MailSettings
    /// `GATEWAY_TLS_CERT` and `GATEWAY_TLS_KEY` (none): PEM files of the door's certificate (with its chain) and key; with them it speaks TLS alone.
    var tls: TLSFiles?
    /// `DOCS_ASSETS` (none): directory of swagger-ui's files; without it `/docs` only leads to the raw document.
    var docsAssets: String?

    init(_ reader: SettingsReader) {
        self.accessTokenSeconds = reader.integer("ACCESS_TOKEN_SECONDS", default: 900, in: 60...86_400)
        self.refreshTokenSeconds = reader.integer("REFRESH_TOKEN_SECONDS", default: 2_592_000, in: 3_600...31_536_000)
        self.limits = LimitSettings(reader)
        self.authCacheEntries = reader.integer("AUTH_CACHE_ENTRIES", default: 50_000, in: 2...10_000_000)
        self.authCacheLifetime = reader.seconds("AUTH_CACHE_SECONDS", default: 30, in: 0...300)
        self.maximumRequestBytes = reader.integer("MAX_REQUEST_BYTES", default: 32 << 20, in: 1_024...(1 << 30))
        self.cors = CORSPolicy(reader)
        self.requestLogDays = reader.integer("REQUEST_LOG_DAYS", default: 30, in: 1...3_650)
        self.usageDays = reader.integer("USAGE_DAYS", default: 400, in: 1...3_650)
        self.noticeDays = reader.integer("NOTICE_DAYS", default: 90, in: 1...3_650)
        self.mail = MailSettings(reader)
        self.tls = TLSFiles(reader)
        self.docsAssets = reader.optionalString("DOCS_ASSETS")
    }
}
