/// What one replica knows of a counter and holds of its units. The rules alone, without lock, clock or database.
///
/// Units are granted by Postgres in small lots, used here without asking, and given back when nobody wants them. A lot is good for its window
/// only: until the window ends by Postgres's clock, measured from when the question was sent, so that the truth ends later than what is believed.
struct LimitBucket: Sendable {
    typealias Instant = ContinuousClock.Instant

    struct Window: Equatable, Sendable {
        /// Unix seconds.
        var start: Int64
        /// The last moment at which its units may be used here: before the window ends.
        var until: Instant
        /// When it will surely have ended: who comes back then finds the next one.
        var endsBy: Instant
    }

    /// Subtracted from the end of each window: clocks differ in pace, and a lot is never held for more than ``Self/idleAfter`` without a word.
    static let windowGuard: Duration = .milliseconds(10)
    /// With other replicas about, what was heard is acted upon for so long, and asked for again in the background after a part of it.
    static let freshFor: Duration = .milliseconds(25)
    static let refreshAfter: Duration = .milliseconds(10)
    /// After a question that found too little: others may give units back, so that it is asked again.
    static let spentFor: Duration = .milliseconds(50)
    /// Unused for so long, units go back.
    static let idleAfter: Duration = .seconds(1)
    /// A lot holds what is used in about this time …
    private static let lotDuration: Duration = .milliseconds(500)
    /// … but no more than this part of the limit, so that what several replicas hold stays small.
    private static let largestPart: Int64 = 100
    /// From this part of the limit on, only what is wanted at once is asked for.
    private static let tailPart: Int64 = 20

    private(set) var window: Window?
    /// Granted and not used.
    private(set) var left: Int64 = 0
    /// Granted to all replicas in the window, as last heard.
    private(set) var used: Int64 = 0
    /// When the question was sent whose answer is known.
    private(set) var heardAt: Instant?
    /// The last answer gave less than was wanted.
    private(set) var isShort = false
    /// Counted by this replica alone, because Postgres is away.
    private(set) var isLocal = false
    private(set) var lastTaken: Instant?
    private var takenSinceHeard: Int64 = 0
    /// Units a second, smoothed.
    private var demand: Double = 0

    enum Judgement: Equatable, Sendable {
        case enough
        /// Refused by what Postgres said a moment ago.
        case spent
        /// Postgres has to be asked for this many units.
        case unknown(Int64)
    }

    /// - isAlone: no other replica takes units, so that what was heard stays true.
    func judge(_ cost: Int64, of units: Int64, at now: Instant, isAlone: Bool) -> Judgement {
        guard let window, let heardAt, now < window.until else { return .unknown(cost > units ? 0 : cost) }
        if cost > units { return .spent }
        let isFresh = isAlone || self.isLocal || now - heardAt < Self.freshFor
        if self.left >= cost { return isFresh ? .enough : .unknown(0) }
        if self.isLocal || self.isShort && now - heardAt < Self.spentFor { return .spent }
        return .unknown(cost)
    }

    func holds(_ cost: Int64, at now: Instant) -> Bool { self.left >= cost && self.window.map { now < $0.until } ?? false }

    mutating func take(_ cost: Int64, at now: Instant) {
        self.left -= cost
        self.takenSinceHeard += cost
        self.lastTaken = now
    }

    /// Units to ask for, where `needed` are waited for at this moment.
    func lot(needed: Int64, of units: Int64, at now: Instant) -> Int64 {
        guard let window, let heardAt, now < window.until else { return needed }
        let missing = max(0, needed - self.left)
        guard units - self.used > units / Self.tailPart else { return missing }
        let rate = max(self.demand, Double(self.takenSinceHeard) / max(0.01, (now - heardAt) / .seconds(1)))
        let expected = min(Int64(min(rate * (Self.lotDuration / .seconds(1)), 1e15)), units / Self.largestPart)
        return max(missing, expected - self.left)
    }

    /// Whether the next lot is fetched before it is missed.
    func wantsRefresh(of units: Int64, at now: Instant, isAlone: Bool) -> Bool {
        guard let heardAt, !self.isLocal else { return false }
        if !isAlone, now - heardAt >= Self.refreshAfter { return true }
        return self.lot(needed: 0, of: units, at: now) > self.left
    }

    /// - sentAt: before the question left this process.
    mutating func hear(_ grant: LimitGrant, wanted: Int64, sentAt: Instant, at now: Instant) {
        // An answer that was overtaken by that of a later window: its units end with their window.
        if let window, grant.windowStart < window.start { return }
        if let heardAt, window?.start == grant.windowStart, !self.isLocal {
            let elapsed = max(0.001, (now - heardAt) / .seconds(1))
            let weight = min(1, elapsed / 0.1)
            self.demand += (Double(self.takenSinceHeard) / elapsed - self.demand) * weight
            self.left += grant.granted
        } else {
            self.left = grant.granted
        }
        self.takenSinceHeard = 0
        self.isLocal = false
        self.isShort = grant.granted < wanted
        self.used = grant.used
        self.heardAt = sentAt
        self.window = Window(
            start: grant.windowStart,
            until: sentAt + grant.windowRest - Self.windowGuard,
            endsBy: now + grant.windowRest
        )
    }

    /// Postgres is away: the replica counts by itself from here on.
    mutating func countAlone(_ units: Int64, windowStart: Int64, windowRest: Duration, at now: Instant) {
        if self.isLocal, self.window?.start == windowStart { return }
        self.window = Window(start: windowStart, until: now + windowRest, endsBy: now + windowRest)
        self.left = units
        self.used = units
        self.heardAt = now
        self.isShort = false
        self.isLocal = true
        self.takenSinceHeard = 0
    }

    /// Takes what is not wanted any more, to be given back; nil where there is nothing.
    mutating func release(at now: Instant, evenIfBusy: Bool = false) -> (units: Int64, windowStart: Int64)? {
        guard let window, !self.isLocal, self.left > 0, now < window.until else { return nil }
        guard evenIfBusy || self.lastTaken.map({ now - $0 >= Self.idleAfter }) ?? true else { return nil }
        defer { self.left = 0 }
        // What is held no more must be asked for before the next request.
        self.isShort = false
        return (self.left, window.start)
    }

    /// True where forgetting it loses nothing.
    func isForgettable(at now: Instant) -> Bool {
        guard let window else { return true }
        return now >= window.until || self.left == 0 && (self.lastTaken ?? self.heardAt).map { now - $0 > .seconds(60) } ?? true
    }

    /// Other replicas that are taken to be about, where what they were granted lately is not known.
    private static let assumedOthers = 2.0

    /// What may be said of the rest. Never more than is truly left over all replicas: units that this one still holds are counted only where
    /// nobody can have taken others since (`isExact`); else what others were granted since is taken off, as if they asked as fast as this one.
    func remaining(of units: Int64, isExact: Bool, at now: Instant) -> Int64 {
        if self.isLocal { return max(0, self.left) }
        let known = units - self.used
        if isExact { return max(0, min(units, known + self.left)) }
        let age = self.heardAt.map { max(0, (now - $0) / .seconds(1)) } ?? 0
        let elsewhere = Int64(min(self.demand * age * Self.assumedOthers, 1e15).rounded())
        return max(0, min(units, known - elsewhere))
    }
}

/// What Postgres answered.
struct LimitGrant: Equatable, Sendable {
    var granted: Int64
    /// Granted to all replicas in the window, this lot included.
    var used: Int64
    /// Unix seconds.
    var windowStart: Int64
    /// From Postgres's moment of answering to the window's end.
    var windowRest: Duration
}
