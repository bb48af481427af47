import ServiceKit

/// What only webhooks reads from its environment.
struct WebhooksConfiguration: ServiceConfiguration {
    /// `ZAPIER_WEBHOOK_TIMEOUT` (30): seconds that a target has to answer one attempt, at most 30.
    var timeout: Duration
    /// `WEBHOOK_RETRY_SCHEDULE` (0,5,300,1800,7200,18000,36000,50400,72000,86400): seconds before each attempt, the first included; the number
    /// of entries is the number of attempts. Each wait is spread by ±20 %.
    var schedule: RetrySchedule
    /// `WEBHOOK_CONCURRENCY` (1024): attempts under way at once in this process.
    var concurrency: Int
    /// `WEBHOOK_CONCURRENCY_PER_SUBSCRIPTION` (16): attempts under way at once to one subscription, all processes together.
    var concurrencyPerSubscription: Int
    /// `WEBHOOK_CONCURRENCY_PER_ORGANIZATION` (512): attempts under way at once for one organization, all processes together.
    var concurrencyPerOrganization: Int
    /// `WEBHOOK_RETENTION_DAYS` (30): days that events and settled deliveries stay, at least 4.
    var retentionDays: Int

    init(_ reader: SettingsReader) {
        self.timeout = reader.seconds("ZAPIER_WEBHOOK_TIMEOUT", default: 30, in: 0.1...30)
        let text = reader.string("WEBHOOK_RETRY_SCHEDULE", default: RetrySchedule.standard.text)
        if let schedule = RetrySchedule(parsing: text) {
            self.schedule = schedule
        } else {
            reader.fault("WEBHOOK_RETRY_SCHEDULE", "must be 1 to 50 waits in seconds (0 to 604800), separated by commas")
            self.schedule = .standard
        }
        self.concurrency = reader.integer("WEBHOOK_CONCURRENCY", default: 1024, in: 1...1024)
        self.concurrencyPerSubscription = reader.integer("WEBHOOK_CONCURRENCY_PER_SUBSCRIPTION", default: 16, in: 1...256)
        self.concurrencyPerOrganization = reader.integer("WEBHOOK_CONCURRENCY_PER_ORGANIZATION", default: 512, in: 1...4096)
        self.retentionDays = reader.integer("WEBHOOK_RETENTION_DAYS", default: 30, in: 4...3650)
    }

    init(
        timeout: Duration,
        schedule: RetrySchedule,
        concurrency: Int = 1024,
        concurrencyPerSubscription: Int = 16,
        concurrencyPerOrganization: Int = 512,
        retentionDays: Int = 30
    ) {
        self.timeout = timeout
        self.schedule = schedule
        self.concurrency = concurrency
        self.concurrencyPerSubscription = concurrencyPerSubscription
        self.concurrencyPerOrganization = concurrencyPerOrganization
        self.retentionDays = retentionDays
    }
}
