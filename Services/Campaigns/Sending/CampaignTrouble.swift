import Models

/// What is wrong with a campaign that came to its end, where something is. Single refused messages are not: bad addresses are in every list.
struct CampaignTrouble: Sendable, Equatable {
    var kind: NoticeKind
    var title: String
    var detail: String

    /// - Returns: nil where it went well.
    init?(name: String, _ counts: MessageCounts) {
        if counts.accepted == 0, counts.failed > 0 {
            self.kind = .campaignFailed
            self.title = "No message of the campaign “\(name)” could be sent"
            self.detail = "\(counts.failed) failed, \(counts.inDoubt) in doubt, \(counts.skipped) skipped."
        } else if counts.inDoubt > 0 {
            self.kind = .campaignInDoubt
            self.title = "The campaign “\(name)” ended with messages in doubt"
            self.detail = "Of \(counts.total) messages \(counts.inDoubt) may have arrived or not; \(counts.accepted) were accepted."
        } else {
            return nil
        }
    }
}
