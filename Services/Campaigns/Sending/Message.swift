import Database
import Foundation
import Models

/// Where a message stands. Delivery facts (bounced, opened) are events of their own and never change it.
enum MessageState: String, Codable, CaseIterable, Sendable, SQLEncodable, SQLDecodable {
    /// May be claimed from `not_before` on.
    case pending
    /// In the hands of one worker until its lease ends.
    case claimed
    /// The provider took it.
    case accepted
    /// Refused for good, or not sent after the last try.
    case failed
    /// It left the house and nobody knows its end.
    case inDoubt = "in_doubt"
    /// Not meant to be sent: no address, a mailbox that is served already.
    case skipped
    /// Given up by a member before it was sent.
    case cancelled
}

/// A campaign together with the organization that it belongs to.
struct CampaignKey: Hashable, Sendable {
    var organization: OrganizationID
    var id: CampaignID
}

/// One campaign to one contact, as the API lists it.
struct Message: Encodable, Sendable {
    var contactID: ContactID
    var address: String?
    var state: MessageState
    var reason: String?
    var detail: String?
    var attempts: Int
    var sendKey: String
    var providerMessageID: String?
    var updatedAt: Date

    enum CodingKeys: String, CodingKey {
        case address, state, reason, detail, attempts
        case contactID = "contact_id"
        case sendKey = "send_key"
        case providerMessageID = "provider_message_id"
        case updatedAt = "updated_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.contactID, forKey: .contactID)
        try container.encode(self.address, forKey: .address)
        try container.encode(self.state, forKey: .state)
        try container.encode(self.reason, forKey: .reason)
        try container.encode(self.detail, forKey: .detail)
        try container.encode(self.attempts, forKey: .attempts)
        try container.encode(self.sendKey, forKey: .sendKey)
        try container.encode(self.providerMessageID, forKey: .providerMessageID)
        try container.encode(self.updatedAt, forKey: .updatedAt)
    }
}

extension Message: RowDecodable {
    static let columns: StaticString = "contact_id, address, state, reason, detail, attempts, send_key, provider_message_id, updated_at"

    init(row: Row) throws {
        self.contactID = try row.get("contact_id")
        self.address = try row.get("address")
        self.state = try row.get("state")
        self.reason = try row.get("reason")
        self.detail = try row.get("detail")
        self.attempts = try row.get("attempts")
        self.sendKey = try row.get("send_key")
        self.providerMessageID = try row.get("provider_message_id")
        self.updatedAt = try row.get("updated_at")
    }
}
