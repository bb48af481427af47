import Foundation

/// How the target of a subscription does, and what follows from it: fewer attempts at once, none for a while, none any more.
///
/// All rules, no I/O. A target that never failed has ``sound`` health, and nothing is written about it.
struct EndpointHealth: Sendable, Equatable {
    /// Attempts that the breaker looks back on.
    static let remembered = 20
    /// Failures among them at which it opens.
    static let opensAt = 10
    /// Seconds for which the breaker stays open; each time in a row twice as long.
    static let firstRest = 30.0
    static let longestRest = 900.0
    /// Seconds for which a target that asks for less is left alone; each time in a row twice as long.
    static let firstPause = 1.0
    static let longestPause = 60.0
    /// Seconds without a success after which a failure disables the subscription: five days.
    static let disabledAfter = 432_000.0
    /// Per cent of that time at which members are told.
    static let toldAt = [50, 90]
    /// Per cent of that time after which a failure begins anew where members were told of none: what is tried all the time is told of before.
    static let forgottenAt = 75.0

    static let sound = EndpointHealth()

    /// Attempts that may be under way at once; nil for as many as the process allows.
    var inFlightLimit: Int?
    /// Nothing is sent before; by the clock of the database.
    var notBefore = Date(timeIntervalSince1970: 0)
    /// Newest in the lowest bit; a set bit is a failure.
    var recentFailures: UInt32 = 0
    var breakerIsOpen = false
    var trips = 0
    var slowdowns = 0
    var failingSince: Date?
    var lastError: String?
    var toldAtPercent = 0

    /// What an attempt says of the target.
    enum Sign: Sendable, Equatable {
        case success
        case failure(String)
        /// It answered that it has too much to do (429, 502, 504), or hung to the time-out; 429 is no failure of the target's.
        case overload(String, isFailure: Bool, retryAfter: Double?)
    }

    /// What members should be told.
    enum Warning: Sendable, Equatable {
        case failing(percent: Int)
        case disabled
    }

    /// - full: attempts at once to a sound target.
    /// - chance: -1 to 1, where in its spread (20 %) a rest lies.
    mutating func note(_ sign: Sign, at now: Date, full: Int, chance: Double) -> Warning? {
        switch sign {
        case .success:
            self.recover(full: full)
            return nil
        case .failure(let error):
            return self.fail(error, at: now, chance: chance)
        case .overload(let error, let isFailure, let retryAfter):
            self.slow(at: now, full: full, retryAfter: retryAfter, chance: chance)
            return isFailure ? self.fail(error, at: now, chance: chance) : self.markFailing(error, at: now)
        }
    }

    private mutating func recover(full: Int) {
        if self.breakerIsOpen {
            self.breakerIsOpen = false
            self.recentFailures = 0
            self.notBefore = Self.sound.notBefore
            // From the one probe on, one more with each success.
            self.inFlightLimit = 1
        }
        self.recentFailures = self.recentFailures << 1 & Self.mask
        if let limit = self.inFlightLimit { self.inFlightLimit = limit + 1 < full ? limit + 1 : nil }
        self.trips = 0
        self.slowdowns = 0
        self.failingSince = nil
        self.toldAtPercent = 0
    }

    private mutating func fail(_ error: String, at now: Date, chance: Double) -> Warning? {
        self.recentFailures = (self.recentFailures << 1 | 1) & Self.mask
        // What was under way when the breaker opened tells nothing new; a probe does.
        if self.breakerIsOpen ? self.notBefore <= now : self.recentFailures.nonzeroBitCount >= Self.opensAt {
            self.breakerIsOpen = true
            self.trips += 1
            self.close(until: now, Self.spread(Self.firstRest, doubled: self.trips - 1, limit: Self.longestRest, chance))
        }
        return self.markFailing(error, at: now)
    }

    private mutating func slow(at now: Date, full: Int, retryAfter: Double?, chance: Double) {
        guard self.notBefore <= now else { return }
        self.inFlightLimit = max(1, (self.inFlightLimit ?? full) / 2)
        self.slowdowns += 1
        let pause = Self.spread(Self.firstPause, doubled: self.slowdowns - 1, limit: Self.longestPause, chance)
        self.close(until: now, max(pause, min(retryAfter ?? 0, RetrySchedule.longestRetryAfter)))
    }

    private mutating func markFailing(_ error: String, at now: Date) -> Warning? {
        var since = self.failingSince ?? now
        // Nothing was tried for longer than a schedule waits: what failed back then tells nothing of the time between.
        if self.toldAtPercent == 0, now.timeIntervalSince(since) / Self.disabledAfter * 100 >= Self.forgottenAt { since = now }
        self.failingSince = since
        self.lastError = error
        let percent = now.timeIntervalSince(since) / Self.disabledAfter * 100
        if percent >= 100, self.toldAtPercent == Self.toldAt.last { return .disabled }
        guard let reached = Self.toldAt.last(where: { Double($0) <= percent }), reached > self.toldAtPercent else { return nil }
        self.toldAtPercent = reached
        return .failing(percent: reached)
    }

    private mutating func close(until now: Date, _ seconds: Double) {
        self.notBefore = max(self.notBefore, now.addingTimeInterval(seconds))
    }

    private static let mask: UInt32 = 1 << remembered - 1

    private static func spread(_ first: Double, doubled times: Int, limit: Double, _ chance: Double) -> Double {
        min(limit, first * pow(2, Double(min(times, 30)))) * (1 + RetrySchedule.jitter * chance)
    }
}

extension EndpointHealth {
    /// In one word, for people.
    func condition(at now: Date) -> Condition {
        if self.breakerIsOpen { return self.notBefore > now ? .resting : .probing }
        if self.notBefore > now || self.inFlightLimit != nil { return .slowed }
        return self.failingSince == nil ? .sound : .failing
    }

    enum Condition: String, Sendable, CaseIterable {
        case sound
        /// Its last attempt failed.
        case failing
        /// It asked for less.
        case slowed
        /// The breaker is open: nothing is sent.
        case resting
        /// The breaker lets one attempt through.
        case probing
    }
}

extension EndpointHealth.Sign {
    /// nil where the target was not asked at all.
    init?(_ result: AttemptResult) {
        guard let failure = result.failure else {
            self = .success
            return
        }
        switch (failure, result.status) {
        case (.interrupted, _), (.busy, _), (.unsubscribed, _), (.disabled, _), (.expired, _), (.sealed, _), (.cancelled, _),
            (.template, _):
            return nil
        case (_, 429): self = .overload(failure.rawValue, isFailure: false, retryAfter: result.retryAfter)
        case (_, 502), (_, 504): self = .overload(failure.rawValue, isFailure: true, retryAfter: result.retryAfter)
        case (.timeout, _): self = .overload(failure.rawValue, isFailure: true, retryAfter: nil)
        default: self = .failure(failure.rawValue)
        }
    }
}
