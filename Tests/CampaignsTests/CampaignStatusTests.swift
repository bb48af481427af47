import Models
import Testing

@testable import Campaigns

@Suite struct CampaignStatusTests {
    /// Every legal move; whatever is not here is refused.
    private static let moves: [CampaignAction: [CampaignStatus: CampaignStatus]] = [
        .edit: [.draft: .draft, .scheduled: .scheduled],
        .delete: [.draft: .draft, .scheduled: .scheduled],
        .schedule: [.draft: .scheduled, .scheduled: .scheduled],
        .send: [.draft: .preparing, .scheduled: .preparing],
        .pause: [.preparing: .paused, .sending: .paused],
        .resume: [.paused: .sending],
        .cancel: [.scheduled: .cancelled, .preparing: .cancelled, .sending: .cancelled, .paused: .cancelled],
    ]

    @Test(arguments: CampaignAction.allCases, CampaignStatus.allCases)
    func onlyLegalMovesAreAllowed(action: CampaignAction, status: CampaignStatus) {
        #expect(status.after(action, isExpanded: true) == Self.moves[action]?[status])
    }

    @Test func whatWasPausedBeforeItWasExpandedGoesBackToPreparing() {
        #expect(CampaignStatus.paused.after(.resume, isExpanded: false) == .preparing)
    }

    @Test func onlyACampaignThatNeverSentIsDeleted() {
        #expect(CampaignStatus.cancelled.after(.delete, isExpanded: false) == .cancelled)
        #expect(CampaignStatus.cancelled.after(.delete, isExpanded: true) == nil)
    }

    @Test func aRefusalNamesTheState() {
        let problem = CampaignStatus.sent.refusal(of: .pause)
        #expect(problem.kind == .conflict)
        #expect(problem.detail.contains("sent") && problem.detail.contains("pause"))
    }
}
