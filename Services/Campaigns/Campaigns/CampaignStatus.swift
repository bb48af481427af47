import Database
import Models

enum CampaignStatus: String, Codable, CaseIterable, Sendable, SQLEncodable, SQLDecodable {
    /// Being written.
    case draft
    /// Starts by itself at `scheduled_at`.
    case scheduled
    /// Its audience is being expanded into messages.
    case preparing
    /// Its messages are claimed and sent.
    case sending
    /// No message is claimed; what was in hand ends.
    case paused
    /// Nothing is pending, claimed or in flight any more.
    case sent
    /// Given up by a member; what was not sent is not sent.
    case cancelled
}

/// What a member may ask of a campaign.
enum CampaignAction: String, CaseIterable, Sendable {
    case edit, delete, schedule, send, pause, resume, cancel
}

extension CampaignStatus {
    /// The legal moves: where `action` leads from here; nil where it is not allowed. `edit` stays, `delete` ends the campaign.
    /// - isExpanded: whether every contact of the audience has its message.
    func after(_ action: CampaignAction, isExpanded: Bool) -> CampaignStatus? {
        switch (action, self) {
        case (.edit, .draft), (.edit, .scheduled), (.delete, .draft), (.delete, .scheduled): self
        // Cancelled before it was expanded: nothing of it was ever sent.
        case (.delete, .cancelled) where !isExpanded: self
        case (.schedule, .draft), (.schedule, .scheduled): .scheduled
        case (.send, .draft), (.send, .scheduled): .preparing
        case (.pause, .preparing), (.pause, .sending): .paused
        case (.resume, .paused): isExpanded ? .sending : .preparing
        case (.cancel, .scheduled), (.cancel, .preparing), (.cancel, .sending), (.cancel, .paused): .cancelled
        default: nil
        }
    }

    func refusal(of action: CampaignAction) -> Problem {
        Problem(.conflict, "A campaign that is \(self.rawValue) does not allow the action “\(action.rawValue)”.")
    }
}

enum InDoubtPolicy: String, Codable, CaseIterable, Sendable, SQLEncodable, SQLDecodable {
    /// What is in doubt stays so unless its provider tells: nobody gets it twice.
    case hold
    /// After a while it is sent again under a new key: nobody goes without, somebody may get it twice.
    case resend
}

enum Channel: String, Codable, CaseIterable, Sendable, SQLEncodable, SQLDecodable {
    case email
}
