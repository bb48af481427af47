import Foundation
import Models

/// A campaign as the API shows it: with bodies and counts, with bodies, or (in lists) neither.
struct CampaignResponse: Encodable, Sendable {
    private let campaign: Campaign
    private let counts: MessageCounts?
    private let hasBodies: Bool

    init(_ campaign: Campaign, counts: MessageCounts? = nil) {
        self.campaign = campaign
        self.counts = counts
        self.hasBodies = true
    }

    init(listed campaign: Campaign) {
        self.campaign = campaign
        self.counts = nil
        self.hasBodies = false
    }

    var id: CampaignID { self.campaign.id }

    enum CodingKeys: String, CodingKey {
        case id, name, channel, subject, html, text, audience, status, counts
        case integrationID = "integration_id"
        case fromEmail = "from_email"
        case fromName = "from_name"
        case replyTo = "reply_to"
        case inDoubtPolicy = "in_doubt_policy"
        case statusReason = "status_reason"
        case scheduledAt = "scheduled_at"
        case startedAt = "started_at"
        case finishedAt = "finished_at"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    func encode(to encoder: any Encoder) throws {
        let content = self.campaign.content
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.campaign.id, forKey: .id)
        try container.encode(content.name, forKey: .name)
        try container.encode(content.channel, forKey: .channel)
        try container.encode(content.integrationID, forKey: .integrationID)
        try container.encode(content.fromEmail, forKey: .fromEmail)
        try container.encode(content.fromName, forKey: .fromName)
        try container.encode(content.replyTo, forKey: .replyTo)
        try container.encode(content.subject, forKey: .subject)
        if self.hasBodies {
            try container.encode(content.html, forKey: .html)
            try container.encode(content.text, forKey: .text)
        }
        try container.encode(content.audience.json, forKey: .audience)
        try container.encode(content.inDoubtPolicy, forKey: .inDoubtPolicy)
        try self.encodeProgress(into: &container)
    }

    private func encodeProgress(into container: inout KeyedEncodingContainer<CodingKeys>) throws {
        try container.encode(self.campaign.status, forKey: .status)
        try container.encode(self.campaign.statusReason, forKey: .statusReason)
        try container.encodeIfPresent(self.counts, forKey: .counts)
        try container.encode(self.campaign.scheduledAt, forKey: .scheduledAt)
        try container.encode(self.campaign.startedAt, forKey: .startedAt)
        try container.encode(self.campaign.finishedAt, forKey: .finishedAt)
        try container.encode(self.campaign.createdAt, forKey: .createdAt)
        try container.encode(self.campaign.updatedAt, forKey: .updatedAt)
    }
}
