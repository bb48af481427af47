import Models
import ServiceKit

/// What the integrations process reads beside the house's own variables.
struct IntegrationsConfiguration: ServiceConfiguration {
    /// `HUBSPOT_BASE_URL`: where HubSpot's API is. Default `https://api.hubapi.com`.
    let hubSpotBaseURL: String
    /// `SENDGRID_BASE_URL`: where SendGrid's API is. Default `https://api.sendgrid.com` (EU accounts: `https://api.eu.sendgrid.com`).
    let sendGridBaseURL: String
    /// `SYNC_INTERVAL`: seconds between syncs of an integration that names no other interval. Default 900.
    let syncInterval: Int
    /// `SYNC_CONCURRENCY`: syncs that this process runs at once. Default 4.
    let syncConcurrency: Int
    /// `SYNC_LEASE`: seconds after which a sync that no longer moves is taken over by another process. A call to the provider gets half of
    /// it, and at most 30 s. Default 120.
    let syncLease: Duration
    /// `SEND_LEASE`: seconds that a message belongs to the process that took it; one that began and did not settle by then is in doubt.
    /// Default 90.
    let sendLease: Duration
    /// `SMTP_REPLY_TIMEOUT`: seconds to wait for each reply of a mail server; at most 0.85 of `SEND_LEASE`. Default 60.
    let smtpReplyTimeout: Duration
    /// `SMTP_CONNECTIONS`: connections to one mail server and account, and so messages on their way to it at once. Default 16.
    let smtpConnections: Int
    /// `SMTP_CLIENT_NAME`: the name that this process gives to mail servers (EHLO). Default: the host of `PUBLIC_URL`.
    let smtpClientName: String?
    /// `SENDGRID_CONCURRENCY`: calls to SendGrid at once for one integration. Default 32.
    let sendGridConcurrency: Int

    init(_ reader: SettingsReader) {
        self.hubSpotBaseURL = reader.url("HUBSPOT_BASE_URL", default: "https://api.hubapi.com")
        self.sendGridBaseURL = reader.url("SENDGRID_BASE_URL", default: "https://api.sendgrid.com")
        self.syncInterval = reader.integer("SYNC_INTERVAL", default: 900, in: 60...86400)
        self.syncConcurrency = reader.integer("SYNC_CONCURRENCY", default: 4, in: 1...64)
        self.syncLease = .seconds(reader.integer("SYNC_LEASE", default: 120, in: 5...3600))
        let sendLease = reader.integer("SEND_LEASE", default: 90, in: 2...3600)
        let replyTimeout = reader.integer("SMTP_REPLY_TIMEOUT", default: min(60, max(1, sendLease * 2 / 3)), in: 1...3600)
        if Double(replyTimeout) > Double(sendLease) * 0.85 {
            reader.fault(
                "SMTP_REPLY_TIMEOUT",
                "must be at most 0.85 of SEND_LEASE (\(sendLease)): a reply could come when the lease is over"
            )
        }
        self.sendLease = .seconds(sendLease)
        self.smtpReplyTimeout = .seconds(replyTimeout)
        self.smtpConnections = reader.integer("SMTP_CONNECTIONS", default: 16, in: 1...200)
        self.smtpClientName = reader.optionalString("SMTP_CLIENT_NAME")
        self.sendGridConcurrency = reader.integer("SENDGRID_CONCURRENCY", default: 32, in: 1...500)
    }
}
