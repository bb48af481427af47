import ServiceKit

/// What the campaigns process reads from the environment beside what every process reads.
struct CampaignsConfiguration: ServiceConfiguration {
    /// `FEED_POLL_INTERVAL` (seconds, 5): how often the change feed's heads are looked at where no nudge came.
    var feedPollInterval: Duration
    /// `SEND_CONCURRENCY` (4): batches under way at once in this process.
    var sendConcurrency: Int
    /// `SEND_BATCH_LIMIT` (250): messages claimed at once, at most; slow integrations get fewer, about three seconds' worth.
    var sendBatchLimit: Int
    /// `SEND_LEASE` (seconds, 60): how long a claimed batch belongs to its worker. A call ends at three quarters of it.
    var sendLease: Duration
    /// `SEND_ATTEMPT_LIMIT` (20): answers of "not sent" after which a message has failed.
    var sendAttemptLimit: Int
    /// `SEND_REFUSAL_LIMIT` (5): batches that an integration refuses in a row before the campaign is paused.
    var sendRefusalLimit: Int
    /// `SEND_IN_DOUBT_RESEND_AFTER` (seconds, 900): how long a message stays in doubt before the policy "resend" sends it again.
    var resendAfter: Duration

    init(_ reader: SettingsReader) {
        self.feedPollInterval = reader.seconds("FEED_POLL_INTERVAL", default: 5, in: 0.1...3600)
        self.sendConcurrency = reader.integer("SEND_CONCURRENCY", default: 4, in: 1...64)
        self.sendBatchLimit = reader.integer("SEND_BATCH_LIMIT", default: 250, in: 1...1000)
        self.sendLease = reader.seconds("SEND_LEASE", default: 60, in: 4...3600)
        self.sendAttemptLimit = reader.integer("SEND_ATTEMPT_LIMIT", default: 20, in: 1...1000)
        self.sendRefusalLimit = reader.integer("SEND_REFUSAL_LIMIT", default: 5, in: 1...1000)
        self.resendAfter = reader.seconds("SEND_IN_DOUBT_RESEND_AFTER", default: 900, in: 1...604_800)
    }
}
