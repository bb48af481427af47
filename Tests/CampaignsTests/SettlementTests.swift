import Models
import Testing

@testable import Campaigns

@Suite struct SettlementTests {
    private let rules = SettlementRules(attemptLimit: 3)

    private func message(attempts: Int = 0, checks: Int = 0) -> ClaimedMessage {
        ClaimedMessage(
            contactID: 7,
            fence: 2,
            sendKey: "key",
            address: "a@x.example",
            attempts: attempts,
            checks: checks,
            values: TemplateValues(),
            isContactDeleted: false
        )
    }

    private func state(_ outcome: SendOutcome.Class, _ message: ClaimedMessage, from: MessageState = .claimed) -> MessageState? {
        self.rules.settlement(of: SendOutcome(sendKey: "key", outcome: outcome), for: message, from: from)?.state
    }

    @Test func outcomesOfAClaim() {
        #expect(self.state(.accepted, self.message()) == .accepted)
        #expect(self.state(.rejected, self.message()) == .failed)
        #expect(self.state(.inDoubt, self.message()) == .inDoubt)
        #expect(self.state(.inFlight, self.message()) == nil)
        #expect(self.state(.notSent, self.message(attempts: 0)) == .pending)
        #expect(self.state(.notSent, self.message(attempts: 2)) == .failed)
    }

    @Test func outcomesOfAQuestionAboutADoubt() {
        #expect(self.state(.accepted, self.message(), from: .inDoubt) == .accepted)
        #expect(self.state(.rejected, self.message(), from: .inDoubt) == .failed)
        #expect(self.state(.inDoubt, self.message(), from: .inDoubt) == nil)
        #expect(self.state(.inFlight, self.message(), from: .inDoubt) == nil)
        #expect(self.state(.notSent, self.message(checks: 1), from: .inDoubt) == nil)
        #expect(self.state(.notSent, self.message(checks: DoubtSchedule.checkLimit), from: .inDoubt) == .failed)
    }

    @Test func theProvidersWaitIsHonouredWhereItIsLonger() {
        let outcome = SendOutcome(sendKey: "key", outcome: .notSent, retryAfter: 120)
        #expect(self.rules.settlement(of: outcome, for: self.message(), from: .claimed)?.delay == 120)
        let hasty = SendOutcome(sendKey: "key", outcome: .notSent, retryAfter: 0)
        #expect(self.rules.settlement(of: hasty, for: self.message(), from: .claimed)?.delay == 5)
    }

    @Test func waitsDoubleUpToTheLimit() {
        #expect((1...9).map { self.rules.delay(afterAttempts: $0) } == [5, 10, 20, 40, 80, 160, 320, 640, 900])
        #expect(self.rules.delay(afterAttempts: 1_000_000) == 900)
    }

    @Test func aPausedIntegrationCostsNoAttempt() {
        let outcome = SendOutcome(sendKey: "key", outcome: .notSent, reason: "integration_paused", retryAfter: 60)
        let settlement = self.rules.settlement(of: outcome, for: self.message(attempts: 2), from: .claimed)
        #expect(settlement?.state == .pending)
        #expect(settlement?.isTry == false)
    }

    @Test func aProvidersWordsAreKeptOnOneShortLine() {
        #expect(SettlementRules.cleaned("550 no\r\nsuch\u{0} user", limit: 12) == "550 no  such")
    }
}
