import Models
import ServiceKit
import Testing

@testable import Gateway

@Suite struct LimitHeadersTests {
    private static let key = LimitSubject.key(OrganizationID(1), APIKeyID(2))

    private func standing(_ policy: LimitPolicy, _ units: Int64, remaining: Int64, after: Int64, enforced: Bool = true) -> Standing {
        let limit = Limit(subject: Self.key, policy: policy, units: units, isEnforced: enforced)
        return Standing(limit: limit, remaining: remaining, resetAfter: after, resetAt: 1_700_000_000)
    }

    @Test func bothFamiliesAreWrittenAndDryRunsStaySilent() {
        let fields = RateLimitHeaders.fields([
            self.standing(.hour, 1_000, remaining: 999, after: 123), self.standing(.burst, 100, remaining: 99, after: 7),
            self.standing(.hourTrial, 10, remaining: 0, after: 123, enforced: false),
        ])
        #expect(
            fields.map { "\($0.0): \($0.1)" } == [
                "RateLimit-Policy: \"hour\";q=1000;w=3600, \"burst\";q=100;w=10",
                "RateLimit: \"hour\";r=999;t=123, \"burst\";r=99;t=7",
                "X-RateLimit-Limit: 1000",
                "X-RateLimit-Remaining: 999",
                "X-RateLimit-Reset: 1700000000",
            ]
        )
    }

    @Test func refusalNamesEachViolatedPolicyAndTheLastToLetIn() {
        let standings = [self.standing(.hour, 5, remaining: 0, after: 61), self.standing(.burst, 2, remaining: 0, after: 7)]
        let verdict = LimitVerdict(standings: standings, violated: [.hour, .burst])
        #expect {
            try verdict.check()
        } throws: { error in
            guard let problem = error as? Problem else { return false }
            return problem.kind == .quotaExceeded && problem.retryAfter == 61 && problem.violatedPolicies == ["hour", "burst"]
        }
    }

    @Test func ownLimitOnlyLowersAndLeavesNoRoomForABurst() {
        let settings = LimitSettings(
            SettingsReader(environment: ["RATE_LIMIT_DRY_RUN": "organization", "API_RATE_LIMIT_PREMIUM_TRIAL": "9"])
        )
        let organization = OrganizationID(1)
        func units(_ own: Int64?, _ tier: Tier) -> [String] {
            settings.limits(ofKey: APIKeyID(2), own: own, in: organization, tier).map {
                "\($0.policy.rawValue) \($0.units)\($0.isEnforced ? "" : " dry")"
            }
        }
        #expect(units(nil, .default) == ["hour 1000", "burst 100", "organization 10000 dry"])
        #expect(units(5_000, .default) == ["hour 1000", "burst 100", "organization 10000 dry"])
        #expect(units(5_000, .premium) == ["hour 5000", "burst 1000", "organization 100000 dry", "hour-trial 9 dry"])
        #expect(units(50, .default) == ["hour 50", "organization 10000 dry"])
    }

    @Test func allAddressesOfAHostAreOne() {
        #expect(ClientNetwork("192.0.2.1") == ClientNetwork("::ffff:192.0.2.1"))
        #expect(ClientNetwork("192.0.2.1") != ClientNetwork("192.0.2.2"))
        #expect(ClientNetwork("2001:db8:1:2:3:4:5:6") == ClientNetwork("2001:db8:1:2:ffff::"))
        #expect(ClientNetwork("2001:db8:1:2::1") != ClientNetwork("2001:db8:1:3::1"))
    }
}

@Suite struct LimitBucketTests {
    private static let start = ContinuousClock.now

    private func grant(_ granted: Int64, used: Int64, window: Int64 = 0, rest: Duration = .seconds(100)) -> LimitGrant {
        LimitGrant(granted: granted, used: used, windowStart: window, windowRest: rest)
    }

    private func bucket(_ granted: Int64, used: Int64, wanted: Int64? = nil, rest: Duration = .seconds(100)) -> LimitBucket {
        var bucket = LimitBucket()
        bucket.hear(self.grant(granted, used: used, rest: rest), wanted: wanted ?? granted, sentAt: Self.start, at: Self.start)
        return bucket
    }

    @Test func admitsWhatWasGrantedAndAsksForMore() {
        var bucket = self.bucket(2, used: 2)
        #expect(LimitBucket().judge(1, of: 10, at: Self.start, isAlone: true) == .unknown(1))
        for _ in 0..<2 {
            #expect(bucket.judge(1, of: 10, at: Self.start, isAlone: true) == .enough)
            bucket.take(1, at: Self.start)
        }
        #expect(bucket.judge(1, of: 10, at: Self.start, isAlone: true) == .unknown(1))
    }

    @Test func refusesWithoutAskingOnlyForAMoment() {
        let bucket = self.bucket(0, used: 10, wanted: 1)
        #expect(bucket.judge(1, of: 10, at: Self.start + .milliseconds(49), isAlone: true) == .spent)
        #expect(bucket.judge(1, of: 10, at: Self.start + .milliseconds(50), isAlone: true) == .unknown(1))
        #expect(bucket.judge(11, of: 10, at: Self.start + .seconds(1), isAlone: true) == .spent)
    }

    @Test func unitsEndBeforeTheirWindowDoes() {
        let bucket = self.bucket(5, used: 5, rest: .seconds(2))
        #expect(bucket.judge(1, of: 10, at: Self.start + .milliseconds(1_989), isAlone: true) == .enough)
        #expect(bucket.judge(1, of: 10, at: Self.start + .milliseconds(1_990), isAlone: true) == .unknown(1))
    }

    @Test func unitsOfAnEarlierWindowAreNotCarriedOver() {
        var bucket = self.bucket(5, used: 5)
        bucket.hear(self.grant(1, used: 1, window: 100), wanted: 1, sentAt: Self.start, at: Self.start)
        #expect(bucket.left == 1)
        // An answer that comes late changes nothing.
        bucket.hear(self.grant(7, used: 12, window: 0), wanted: 7, sentAt: Self.start, at: Self.start)
        #expect(bucket.left == 1)
        #expect(bucket.used == 1)
    }

    @Test func withOthersAboutWhatWasHeardGoesStale() {
        let bucket = self.bucket(5, used: 5)
        #expect(bucket.judge(1, of: 10, at: Self.start + .milliseconds(24), isAlone: false) == .enough)
        #expect(bucket.judge(1, of: 10, at: Self.start + .milliseconds(25), isAlone: false) == .unknown(0))
        #expect(bucket.judge(1, of: 10, at: Self.start + .milliseconds(25), isAlone: true) == .enough)
    }

    @Test func aLotGrowsWithDemandAndStaysASmallPartOfTheLimit() {
        var bucket = self.bucket(1, used: 1)
        bucket.take(1, at: Self.start)
        #expect(bucket.lot(needed: 1, of: 1_000_000, at: Self.start + .milliseconds(1)) == 50)
        for step in 1...50 {
            let now = Self.start + .milliseconds(step * 10)
            bucket.hear(self.grant(100, used: Int64(step) * 100), wanted: 100, sentAt: now, at: now)
            for _ in 0..<100 { bucket.take(1, at: now) }
        }
        let now = Self.start + .milliseconds(510)
        // 10,000 a second: about five thousand in half a second; but at most a hundredth of the limit, and what is needed at the tail.
        #expect((4_500...5_500).contains(bucket.lot(needed: 1, of: 1_000_000, at: now)))
        #expect(bucket.lot(needed: 1, of: 20_000, at: Self.start) == 200)
        #expect(bucket.lot(needed: 1, of: 5_100, at: Self.start) == 1)
    }

    @Test func whatIsNotWantedGoesBackOnce() {
        var bucket = self.bucket(5, used: 5)
        bucket.take(1, at: Self.start)
        #expect(bucket.release(at: Self.start + .milliseconds(999)) == nil)
        let back = bucket.release(at: Self.start + .seconds(1))
        #expect(back?.units == 4)
        #expect(back?.windowStart == 0)
        #expect(bucket.release(at: Self.start + .seconds(2)) == nil)
        #expect(bucket.judge(1, of: 10, at: Self.start + .seconds(1), isAlone: true) == .unknown(1))
    }

    @Test func theRestIsNeverToldTooHigh() {
        var bucket = self.bucket(5, used: 8)
        bucket.take(2, at: Self.start)
        #expect(bucket.remaining(of: 10, isExact: true, at: Self.start) == 5)
        #expect(bucket.remaining(of: 10, isExact: false, at: Self.start) == 2)
        #expect(bucket.remaining(of: 4, isExact: true, at: Self.start) == 0)
    }

    @Test func aloneItCountsUpToTheLimitOfEachWindow() {
        var bucket = LimitBucket()
        bucket.countAlone(2, windowStart: 60, windowRest: .seconds(60), at: Self.start)
        for _ in 0..<2 {
            #expect(bucket.judge(1, of: 2, at: Self.start + .seconds(1), isAlone: false) == .enough)
            bucket.take(1, at: Self.start)
        }
        #expect(bucket.judge(1, of: 2, at: Self.start + .seconds(1), isAlone: false) == .spent)
        // Postgres is back: what was counted alone counts no more.
        bucket.hear(self.grant(1, used: 1, window: 60), wanted: 1, sentAt: Self.start, at: Self.start)
        #expect(bucket.left == 1)
    }
}
