import Foundation
import Testing

@testable import Webhooks

@Suite struct EndpointHealthTests {
    private static let start = Date(timeIntervalSince1970: 1_800_000_000)

    /// Notes signs a second apart, without spread.
    private func health(
        after signs: [EndpointHealth.Sign],
        from health: EndpointHealth = .sound,
        at start: Date = Self.start,
        full: Int = 8
    ) -> EndpointHealth {
        var (health, now) = (health, start)
        for sign in signs {
            _ = health.note(sign, at: now, full: full, chance: 0)
            now += 1
        }
        return health
    }

    private func failures(_ count: Int) -> [EndpointHealth.Sign] { Array(repeating: .failure("http_500"), count: count) }

    @Test func aTargetThatNeverFailedHasNothingToWrite() {
        #expect(self.health(after: [.success, .success]) == .sound)
    }

    @Test func theBreakerOpensAtTheTenthFailureOfTwenty() {
        #expect(!self.health(after: self.failures(9)).breakerIsOpen)
        let open = self.health(after: self.failures(10))
        #expect(open.breakerIsOpen)
        #expect(open.notBefore == Self.start + 9 + 30)
        #expect(open.condition(at: Self.start + 10) == .resting)
        #expect(open.condition(at: Self.start + 40) == .probing)
        let half: [EndpointHealth.Sign] = (0..<18).map { $0.isMultiple(of: 2) ? .failure("http_500") : .success }
        #expect(self.health(after: half).breakerIsOpen == false)
        #expect(self.health(after: half + self.failures(1)).breakerIsOpen)
    }

    @Test func whatWasUnderWayWhenItOpenedDoesNotLengthenTheRest() {
        let open = self.health(after: self.failures(10))
        let later = self.health(after: self.failures(3), from: open, at: Self.start + 10)
        #expect(later.notBefore == open.notBefore && later.trips == 1)
    }

    @Test func aProbeThatFailsDoublesTheRestUpToALimit() {
        var state = self.health(after: self.failures(10))
        var rests: [Double] = []
        for _ in 0..<7 {
            let now = state.notBefore + 1
            _ = state.note(.failure("connect"), at: now, full: 8, chance: 0)
            rests.append(state.notBefore.timeIntervalSince(now))
        }
        #expect(rests == [60, 120, 240, 480, 900, 900, 900])
    }

    @Test func aProbeThatSucceedsClosesItAndTheTargetGetsMoreWithEachSuccess() {
        let open = self.health(after: self.failures(10))
        let closed = self.health(after: [.success], from: open, at: Self.start + 60)
        #expect(!closed.breakerIsOpen && closed.failingSince == nil && closed.inFlightLimit == 2)
        #expect(self.health(after: Array(repeating: .success, count: 5), from: closed).inFlightLimit == 7)
        let well = self.health(after: Array(repeating: .success, count: 20), from: closed)
        #expect(well.inFlightLimit == nil && well.recentFailures == 0)
        #expect(well.condition(at: Self.start + 90) == .sound)
    }

    @Test func anOverloadedTargetIsLeftAloneAndGetsHalf() {
        let sign = EndpointHealth.Sign.overload("http_429", isFailure: false, retryAfter: nil)
        let slowed = self.health(after: [sign])
        #expect(slowed.inFlightLimit == 4 && slowed.notBefore == Self.start + 1 && slowed.recentFailures == 0)
        #expect(slowed.condition(at: Self.start) == .slowed)
        let again = self.health(after: [sign], from: slowed, at: Self.start + 5)
        #expect(again.inFlightLimit == 2 && again.notBefore == Self.start + 7)
        #expect(self.health(after: [.success, .success], from: again, at: Self.start + 10).inFlightLimit == 4)
    }

    @Test func severalOverloadsOfOneMomentCountOnce() {
        var state = EndpointHealth.sound
        for _ in 0..<4 { _ = state.note(.overload("http_503", isFailure: false, retryAfter: nil), at: Self.start, full: 8, chance: 0) }
        #expect(state.inFlightLimit == 4 && state.slowdowns == 1)
    }

    @Test func retryAfterPutsOffTheWholeTarget() {
        let slowed = self.health(after: [.overload("http_429", isFailure: false, retryAfter: 120)])
        #expect(slowed.notBefore == Self.start + 120)
        let endless = self.health(after: [.overload("http_429", isFailure: false, retryAfter: 1e9)])
        #expect(endless.notBefore == Self.start + 86_400)
    }

    private static let day = 86_400.0

    private static func fail(_ health: inout EndpointHealth, after days: Double) -> EndpointHealth.Warning? {
        health.note(.failure("timeout"), at: self.start + days * self.day, full: 8, chance: 0)
    }

    @Test func membersAreToldOnTheWayAndFiveDaysWithoutASuccessDisable() {
        var state = EndpointHealth.sound
        func note(after days: Double) -> EndpointHealth.Warning? { Self.fail(&state, after: days) }
        #expect(note(after: 0) == nil)
        #expect(note(after: 2.4) == nil)
        #expect(note(after: 2.5) == .failing(percent: 50))
        #expect(note(after: 3) == nil)
        #expect(note(after: 4.6) == .failing(percent: 90))
        #expect(note(after: 4.9) == nil)
        #expect(note(after: 5) == .disabled)
    }

    @Test func aFailureThatNothingFollowedIsForgotten() {
        var state = EndpointHealth.sound
        func note(after days: Double) -> EndpointHealth.Warning? { Self.fail(&state, after: days) }
        #expect(note(after: 0) == nil)
        // Nothing was delivered for a month: that it fails again today is news of today.
        #expect(note(after: 30) == nil)
        #expect(state.failingSince == Self.start + 30 * Self.day)
        #expect(note(after: 32.5) == .failing(percent: 50))
        // Nobody is cut off who was not told before.
        #expect(note(after: 36) == .failing(percent: 90))
        #expect(note(after: 36.1) == .disabled)
    }

    @Test func aSuccessStartsTheFiveDaysAnew() {
        var state = self.health(after: self.failures(1))
        _ = state.note(.success, at: Self.start + 400_000, full: 8, chance: 0)
        #expect(state.failingSince == nil)
        #expect(state.note(.failure("timeout"), at: Self.start + 500_000, full: 8, chance: 0) == nil)
    }

    @Test(
        arguments: [
            (200, nil, EndpointHealth.Sign.success), (500, "http_500", .failure("http_500")),
            (429, "http_429", .overload("http_429", isFailure: false, retryAfter: nil)),
            (502, "http_502", .overload("http_502", isFailure: true, retryAfter: nil)),
            (504, "http_504", .overload("http_504", isFailure: true, retryAfter: nil)),
            (nil, "timeout", .overload("timeout", isFailure: true, retryAfter: nil)), (nil, "connect", .failure("connect")),
        ] as [(Int?, String?, EndpointHealth.Sign)]
    )
    func readsTheSignOfAnAttempt(_ status: Int?, _ failure: String?, _ sign: EndpointHealth.Sign) {
        let result = AttemptResult(status: status, failure: failure.map(DeliveryFailure.init), duration: .zero)
        #expect(EndpointHealth.Sign(result) == sign)
    }

    @Test(arguments: [
        "interrupted", "busy", "unsubscribed", "disabled", "event_expired", "sealed", "template_too_large", "replay_cancelled",
    ])
    func whatIsNoWordOfTheTargetIsNoSign(_ failure: String) {
        #expect(EndpointHealth.Sign(AttemptResult(failure: DeliveryFailure(rawValue: failure), duration: .zero)) == nil)
    }
}
