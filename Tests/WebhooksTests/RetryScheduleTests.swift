import Foundation
import Testing
import Transport

@testable import Webhooks

@Suite struct RetryScheduleTests {
    private func waits(chance: Double) -> [Double] {
        (1...12).compactMap { RetrySchedule.standard.wait(afterFailure: $0, retryAfter: nil, chance: chance) }
    }

    @Test func standardHasTenAttemptsOverThreeDays() {
        #expect(RetrySchedule.standard.first == 0)
        #expect(self.waits(chance: 0) == [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400])
        #expect(RetrySchedule.standard.text == "0,5,300,1800,7200,18000,36000,50400,72000,86400")
    }

    @Test func jitterIsAFifthToEitherSide() {
        for (wait, exact) in zip(self.waits(chance: -1), self.waits(chance: 0)) { #expect(abs(wait - exact * 0.8) < 1e-6) }
        for (wait, exact) in zip(self.waits(chance: 1), self.waits(chance: 0)) { #expect(abs(wait - exact * 1.2) < 1e-6) }
    }

    @Test func retryAfterOnlyEverLengthensAWait() {
        #expect(RetrySchedule.standard.wait(afterFailure: 1, retryAfter: 60, chance: -1) == 60)
        #expect(abs((RetrySchedule.standard.wait(afterFailure: 3, retryAfter: 60, chance: -1) ?? 0) - 1440) < 1)
        #expect(RetrySchedule.standard.wait(afterFailure: 1, retryAfter: 9e9, chance: -1) == 86_400)
    }

    @Test func noWaitAfterTheLastAttempt() {
        #expect(RetrySchedule.standard.wait(afterFailure: 10, retryAfter: 60, chance: -1) == nil)
    }

    @Test func readsSecondsWithFractions() throws {
        let schedule = try #require(RetrySchedule(parsing: "0, 0.2,1"))
        #expect(schedule.text == "0,0.2,1")
        #expect(schedule.first == 0)
    }

    @Test(arguments: ["", "a", "1,,2", "-1", "nan", "inf", "604801", Array(repeating: "1", count: 51).joined(separator: ",")])
    func refusesOtherText(_ text: String) { #expect(RetrySchedule(parsing: text) == nil) }
}

@Suite struct RetryAfterTests {
    private let now = Date(timeIntervalSince1970: 784_111_737)  // 40 seconds before the date of RFC 9110 section 5.6.7.

    @Test(arguments: [("0", 0.0), ("120", 120), (" 7 ", 7)])
    func readsSeconds(_ value: String, _ seconds: Double) { #expect(RetryAfter.seconds(value, now: self.now) == seconds) }

    @Test func readsAnHTTPDate() { #expect(RetryAfter.seconds("Sun, 06 Nov 1994 08:49:37 GMT", now: self.now) == 40) }

    @Test func aDateInThePastIsNoWait() {
        #expect(RetryAfter.seconds("Sun, 06 Nov 1994 08:49:37 GMT", now: self.now.addingTimeInterval(1000)) == 0)
    }

    @Test(arguments: ["", "soon", "-5", "1.5", "1994-11-06"])
    func otherTextIsNothing(_ value: String) { #expect(RetryAfter.seconds(value, now: self.now) == nil) }
}

@Suite struct DeliveryStepTests {
    private func step(_ result: AttemptResult, failures: Int = 0) -> DeliveryStep {
        let schedule = RetrySchedule(parsing: "0,100,100") ?? .standard
        return DeliveryStep.after(result, failures: failures, schedule: schedule, chance: 0.5)
    }

    @Test func successEndsADelivery() { #expect(self.step(AttemptResult(status: 204, duration: .zero)) == .succeeded) }

    @Test func goneEndsTheSubscription() {
        #expect(self.step(AttemptResult(status: 410, failure: .status(410), duration: .zero)) == .gone)
    }

    @Test(arguments: [301, 400, 404, 429, 500, 503])
    func everyOtherStatusIsTriedAgain(_ status: Int) {
        guard case .retry(let wait, true) = self.step(AttemptResult(status: status, failure: .status(status), duration: .zero)) else {
            Issue.record("not tried again")
            return
        }
        #expect(abs(wait - 110) < 1e-6)
    }

    @Test func theLastFailureIsDead() {
        #expect(self.step(AttemptResult(failure: DeliveryFailure(.timedOut), duration: .zero), failures: 2) == .dead)
    }

    @Test func anInterruptedAttemptUsesUpNothing() {
        #expect(self.step(AttemptResult(failure: .interrupted, duration: .zero), failures: 2) == .retry(after: 0, counts: false))
    }
}
