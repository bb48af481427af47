// Campaigns → Integrations: `POST /internal/messages` takes a ``SendBatch`` and answers NDJSON, one ``SendOutcome`` per line in the order
// in which messages settle. POSTing the same send keys again is always safe: integrations' rows are the truth and answer for what was
// already tried. A line may be missing (the stream broke, the process is stopping): ask again.

/// Answer of `GET /internal/senders?organization_id=…&integration_id=…`; 404 where the organization has no such integration.
package struct Sender: Codable, Sendable, Equatable {
    package var provider: String
    /// What it sends: `email`, or nothing.
    package var channels: [String]

    package init(provider: String, channels: [String]) {
        self.provider = provider
        self.channels = channels
    }
}

package struct SendBatch: Codable, Sendable {
    package var organizationID: OrganizationID
    /// The email integration that sends.
    package var integrationID: IntegrationID
    package var messages: [EmailMessage]

    package init(organizationID: OrganizationID, integrationID: IntegrationID, messages: [EmailMessage]) {
        self.organizationID = organizationID
        self.integrationID = integrationID
        self.messages = messages
    }

    package enum CodingKeys: String, CodingKey {
        case messages
        case organizationID = "organization_id"
        case integrationID = "integration_id"
    }
}

/// One rendered email to one person.
package struct EmailMessage: Codable, Sendable, Equatable {
    /// Unique for the attempt group of this campaign and contact; the idempotency key of the send and the base of the Message-ID.
    package var sendKey: String
    package var toAddress: String
    package var toName: String?
    package var fromAddress: String
    package var fromName: String?
    package var replyTo: String?
    package var subject: String
    package var html: String?
    package var text: String?

    package init(
        sendKey: String,
        toAddress: String,
        toName: String? = nil,
        fromAddress: String,
        fromName: String? = nil,
        replyTo: String? = nil,
        subject: String,
        html: String? = nil,
        text: String? = nil
    ) {
        self.sendKey = sendKey
        self.toAddress = toAddress
        self.toName = toName
        self.fromAddress = fromAddress
        self.fromName = fromName
        self.replyTo = replyTo
        self.subject = subject
        self.html = html
        self.text = text
    }

    package enum CodingKeys: String, CodingKey {
        case subject, html, text
        case sendKey = "send_key"
        case toAddress = "to_address"
        case toName = "to_name"
        case fromAddress = "from_address"
        case fromName = "from_name"
        case replyTo = "reply_to"
    }
}

/// How one message settled.
package struct SendOutcome: Codable, Sendable, Equatable {
    package enum Class: String, Codable, Sendable {
        /// The provider took it.
        case accepted
        /// The provider refused it for good (bad address, policy): never tried again.
        case rejected
        /// Surely not sent (resolve, connect, TLS, 4xx reply, rate limit): may be tried again after ``retryAfter``.
        case notSent = "not_sent"
        /// The call left the house and nobody knows its end: never blindly repeated.
        case inDoubt = "in_doubt"
        /// Another replica (or an earlier stream) still has it in hand: ask again after ``retryAfter``.
        case inFlight = "in_flight"
    }

    package var sendKey: String
    package var outcome: Class
    package var providerMessageID: String?
    /// Short machine word, `smtp_550`, `connect`, `timeout`, `http_429`; safe to show.
    package var reason: String?
    /// The provider's own words, shortened; no credential is in it.
    package var detail: String?
    /// Seconds to wait before the next try, for ``Class/notSent`` and ``Class/inFlight``.
    package var retryAfter: Double?

    package init(
        sendKey: String,
        outcome: Class,
        providerMessageID: String? = nil,
        reason: String? = nil,
        detail: String? = nil,
        retryAfter: Double? = nil
    ) {
        self.sendKey = sendKey
        self.outcome = outcome
        self.providerMessageID = providerMessageID
        self.reason = reason
        self.detail = detail
        self.retryAfter = retryAfter
    }

    package enum CodingKeys: String, CodingKey {
        case outcome, reason, detail
        case sendKey = "send_key"
        case providerMessageID = "provider_message_id"
        case retryAfter = "retry_after"
    }
}
