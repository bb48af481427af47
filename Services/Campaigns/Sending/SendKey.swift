import Encryption
import Foundation
import Models

/// The idempotency key of a message towards integrations, and the base of its Message-ID. It follows from campaign, contact and attempt
/// group: a crash anywhere leads to the same key again. The campaign's random salt makes equal ids in two installations differ, which
/// would otherwise give two mails to one person the same Message-ID.
enum SendKey {
    /// The twin of the SQL function `send_key` (M0003).
    static func make(salt: UUID, campaign: CampaignKey, contact: ContactID, attemptGroup: Int) throws -> String {
        let text = "send.v1:\(salt.uuidString.lowercased()):\(campaign.organization):\(campaign.id):\(contact):\(attemptGroup)"
        return String(Hex.encode(try SHA256.digest(Array(text.utf8))).prefix(40))
    }
}
