import ServiceKit

/// What only webhooks reads from its environment.
struct WebhooksConfiguration: ServiceConfiguration {
    /// `ZAPIER_WEBHOOK_TIMEOUT` (30): seconds that a target has to answer one attempt, at most 30.
    var timeout: Duration
    /// `WEBHOOK_RETRY_SCHEDULE` (0,5,300,1800,7200,18000,36000,50400,72000,86400): seconds before each attempt, the first included; the number
    /// of entries is the number of attempts. Each wait is spread by ±20 %.
    var schedule: RetrySchedule
    /// `WEBHOOK_CONCURRENCY` (64): attempts under way at once in this process.
    var concurrency: Int
    /// `WEBHOOK_CONCURRENCY_PER_SUBSCRIPTION` (4): attempts under way at once to one subscription, all processes together.
    var concurrencyPerSubscription: Int

    init(_ reader: SettingsReader) {
        self.timeout = reader.seconds("ZAPIER_WEBHOOK_TIMEOUT", default: 30, in: 0.1...30)
        let text = reader.string("WEBHOOK_RETRY_SCHEDULE", default: RetrySchedule.standard.text)
        if let schedule = RetrySchedule(parsing: text) {
            self.schedule = schedule
        } else {
            reader.fault("WEBHOOK_RETRY_SCHEDULE", "must be 1 to 50 waits in seconds (0 to 604800), separated by commas")
            self.schedule = .standard
        }
        self.concurrency = reader.integer("WEBHOOK_CONCURRENCY", default: 64, in: 1...1024)
        self.concurrencyPerSubscription = reader.integer("WEBHOOK_CONCURRENCY_PER_SUBSCRIPTION", default: 4, in: 1...256)
    }

    init(timeout: Duration, schedule: RetrySchedule, concurrency: Int = 64, concurrencyPerSubscription: Int = 4) {
        self.timeout = timeout
        self.schedule = schedule
        self.concurrency = concurrency
        self.concurrencyPerSubscription = concurrencyPerSubscription
    }
}
