import Database
import Models

/// Messages of one campaign in the hands of one worker.
struct ClaimedBatch: Sendable {
    var campaign: CampaignKey
    var letter: Letter
    var messages: [ClaimedMessage]
    /// `claimed` to be sent; `inDoubt` to be asked about.
    var state: MessageState
    /// The lease is counted from here, before the claim was sent.
    var claimedAt: ContinuousClock.Instant
}

/// What all messages of a campaign share.
struct Letter: Sendable {
    var integrationID: IntegrationID
    var fromEmail: String
    var fromName: String?
    var replyTo: String?
    var subject: String
    var html: String?
    var text: String?
    /// Batches refused in a row before this one.
    var refusals: Int

    var size: Int { self.subject.utf8.count + (self.html?.utf8.count ?? 0) + (self.text?.utf8.count ?? 0) }
}

struct ClaimedMessage: Sendable {
    var contactID: ContactID
    var fence: Int64
    var sendKey: String
    var address: String
    var attempts: Int
    var checks: Int
    var values: TemplateValues
    /// The contact has gone since the audience was expanded.
    var isContactDeleted: Bool
}

/// The campaign whose turn it is.
struct Turn: RowDecodable {
    var campaign: CampaignKey
    var letter: Letter

    static let columns: StaticString = "organization_id, id, integration_id, from_email, from_name, reply_to, subject, html, text, refusals"

    init(row: Row) throws {
        self.campaign = try CampaignKey(row: row)
        self.letter = Letter(
            integrationID: try row.get("integration_id"),
            fromEmail: try row.get("from_email"),
            fromName: try row.get("from_name"),
            replyTo: try row.get("reply_to"),
            subject: try row.get("subject"),
            html: try row.get("html"),
            text: try row.get("text"),
            refusals: try row.get("refusals")
        )
    }
}

extension ClaimedMessage: RowDecodable {
    init(row: Row) throws {
        self.contactID = try row.get("contact_id")
        self.fence = try row.get("fence")
        self.sendKey = try row.get("send_key")
        self.address = try row.get("address")
        self.attempts = try row.get("attempts")
        self.checks = try row.get("checks")
        self.values = TemplateValues(
            firstName: try row.get("first_name"),
            lastName: try row.get("last_name"),
            email: self.address,
            company: try row.get("company"),
            jobTitle: try row.get("job_title")
        )
        self.isContactDeleted = try row.get("is_deleted")
    }
}
