import Encryption
import Foundation
import Models

extension CampaignContent {
    /// As audit entries tell it.
    /// - Throws: where a digest fails.
    func audited() throws -> [String: JSONValue] {
        [
            "name": .string(self.name), "channel": .string(self.channel.rawValue),
            "integration_id": .integer(self.integrationID.rawValue), "from_email": .string(self.fromEmail),
            "from_name": self.fromName.map(JSONValue.string) ?? .null, "reply_to": self.replyTo.map(JSONValue.string) ?? .null,
            "subject": .string(self.subject), "html": try Self.summary(self.html), "text": try Self.summary(self.text),
            "audience": self.audience.json, "in_doubt_policy": .string(self.inDoubtPolicy.rawValue),
        ]
    }

    /// A body may be half a megabyte, and the log is for ever: size and digest tell which text it was.
    private static func summary(_ body: String?) throws -> JSONValue {
        guard let body else { return .null }
        let bytes = Array(body.utf8)
        return ["bytes": .integer(Int64(bytes.count)), "sha256": .string(Hex.encode(try SHA256.digest(bytes)))]
    }
}

extension Campaign {
    /// What a move changes, as audit entries tell it.
    var auditedProgress: [String: JSONValue] {
        [
            "status": .string(self.status.rawValue),
            "scheduled_at": self.scheduledAt.map { .string(Timestamp.format($0)) } ?? .null,
        ]
    }
}
