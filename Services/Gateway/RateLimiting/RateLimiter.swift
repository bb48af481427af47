import Foundation
import Logging
import Metrics
import Models
import Synchronization

/// Admits requests against limits that all replicas share, without asking Postgres for each: units come in small lots (``LimitBucket``).
///
/// Exact: what is admitted was granted, and never more is granted than the limit. What a replica holds when it dies is lost until the window ends.
/// Questions of many requests travel together: while one is under way, the next gathers.
final class RateLimiter: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// After Postgres failed to answer, it is not asked again for so long.
    private static let awayFor: Duration = .milliseconds(500)
    /// A request whose units others took as soon as they came asks again, so often at most.
    private static let rounds = 20
    /// Counters in one statement.
    private static let batch = 1_000

    private struct State {
        var buckets: [Limit.Counter: LimitBucket] = [:]
        /// For the next statement: what is waited for, by counter.
        var asked: [Limit.Counter: (limit: Limit, needed: Int64)] = [:]
        var waiting: [CheckedContinuation<Role, Never>] = []
        var isAsking = false
        var awayUntil: Instant?
        var isRefreshDue = false
    }

    /// Of those who wait for the next statement, one sends it.
    private enum Role: Sendable { case leader, member }

    private let state = Mutex(State())
    private let store: RateLimitStore
    private let presence: ReplicaPresence?
    private let logger: Logger
    private let refreshDue: @Sendable () -> Void
    private let clock = ContinuousClock()

    /// - presence: tells whether other replicas are about; without it there always may be some.
    /// - refreshDue: told when ``refresh()`` has something to do.
    init(store: RateLimitStore, presence: ReplicaPresence? = nil, logger: Logger, refreshDue: @escaping @Sendable () -> Void = {}) {
        self.logger = logger
        self.store = store
        self.presence = presence
        self.refreshDue = refreshDue
    }

    /// Takes the cost from all limits or from none.
    /// - Throws: 503 where a limit that fails closed cannot be asked about.
    func take(_ cost: Int, from limits: [Limit]) async throws -> LimitVerdict {
        let arrival = self.clock.now
        for _ in 0..<Self.rounds {
            switch try self.judge(Int64(cost), limits, arrival) {
            case .verdict(let verdict): return verdict
            case .ask(let questions): await self.ask(questions)
            case .waitForWindow(let end): try await self.clock.sleep(until: end)
            }
        }
        throw Problem(.unavailable, "Too many requests ask for the same quota at once.", retryAfter: 1)
    }

    /// Takes the cost from all limits where all units are at hand; else nil, and nothing is taken.
    func takeAtOnce(_ cost: Int, from limits: [Limit]) -> LimitVerdict? {
        let now = self.clock.now
        let cost = Int64(cost)
        let isAlone = self.presence?.isAlone(at: now) ?? false
        var isRefreshWanted = false
        let standings: [Standing]? = self.state.withLock { state in
            // Each counter is looked up once.
            var places: [(limit: Limit, place: Dictionary<Limit.Counter, LimitBucket>.Index)] = []
            places.reserveCapacity(limits.count)
            for limit in limits {
                guard let place = state.buckets.index(forKey: limit.counter),
                    case .enough = state.buckets.values[place].judge(cost, of: limit.units, at: now, isAlone: isAlone)
                else { return nil }
                places.append((limit, place))
            }
            for (limit, place) in places {
                state.buckets.values[place].take(cost, at: now)
                guard state.buckets.values[place].wantsRefresh(of: limit.units, at: now, isAlone: isAlone) else { continue }
                isRefreshWanted = Self.note((limit, 0), in: &state) || isRefreshWanted
            }
            return places.compactMap { Self.standing($0.limit, state.buckets.values[$0.place], now, now, isAlone) }
        }
        if isRefreshWanted { self.refreshDue() }
        return standings.map { LimitVerdict(standings: $0, violated: []) }
    }

    /// Fetches what will soon be missed.
    func refresh() async {
        let isWanted = self.state.withLock { state in
            state.isRefreshDue = false
            return !state.asked.isEmpty
        }
        if isWanted { await self.ask([]) }
    }

    /// Gives back what has not been wanted for a while, and forgets counters that nobody asks about; all of it at the end of the process.
    /// - Throws: ``DatabaseError``: what was on its way then stays taken until its window ends.
    func tidy(isLast: Bool = false) async throws {
        let returns = self.state.withLock { state in
            let now = self.clock.now
            var returns: [RateLimitStore.Return] = []
            for counter in Array(state.buckets.keys) {
                if let back = state.buckets[counter]?.release(at: now, evenIfBusy: isLast) {
                    returns.append(RateLimitStore.Return(counter: counter, units: back.units, windowStart: back.windowStart))
                }
                if state.buckets[counter]?.isForgettable(at: now) == true { state.buckets[counter] = nil }
            }
            return returns
        }
        for start in stride(from: 0, to: returns.count, by: Self.batch) {
            try await self.store.giveBack(Array(returns[start..<min(start + Self.batch, returns.count)]))
        }
    }

    /// Counters in memory, and units held of them.
    var load: (counters: Int, held: Int64) {
        self.state.withLock { state in (state.buckets.count, state.buckets.values.reduce(0) { $0 + ($1.isLocal ? 0 : $1.left) }) }
    }

    /// True since Postgres last failed to answer about units, until it answers again.
    var isAway: Bool { self.state.withLock { $0.awayUntil != nil } }

    // MARK: - Judging

    private enum Decision {
        case verdict(LimitVerdict)
        case ask([(limit: Limit, needed: Int64)])
        /// The window is about to end; what is left of it is not worth a lot.
        case waitForWindow(Instant)
    }

    private func judge(_ cost: Int64, _ limits: [Limit], _ arrival: Instant) throws(Problem) -> Decision {
        let now = self.clock.now
        let isAlone = self.presence?.isAlone(at: now) ?? false
        var isRefreshWanted = false
        let decision: Result<Decision, Problem> = self.state.withLock { state in
            var questions: [(limit: Limit, needed: Int64)] = []
            var violated: [LimitPolicy] = []
            var spent: [Limit] = []
            for limit in limits {
                switch self.judge(cost, limit, &state, now, isAlone) {
                case .success(.enough): continue
                case .success(.spent):
                    spent.append(limit)
                    if limit.isEnforced { violated.append(limit.policy) }
                case .success(.unknown(let needed)): questions.append((limit, needed))
                case .failure(let problem): return .failure(problem)
                }
            }
            // Who is only watched keeps nobody waiting.
            let pressing = questions.filter(\.limit.isEnforced)
            if violated.isEmpty, !pressing.isEmpty {
                if let end = Self.endingWindow(pressing, state, now) { return .success(.waitForWindow(end)) }
                return .success(.ask(questions))
            }
            for question in questions { isRefreshWanted = Self.note(question, in: &state) || isRefreshWanted }
            if violated.isEmpty {
                for limit in limits where !spent.contains(limit) && !questions.contains(where: { $0.limit == limit }) {
                    isRefreshWanted = self.take(cost, limit, &state, now, isAlone) || isRefreshWanted
                }
            }
            Self.report(spent.filter { !$0.isEnforced })
            return .success(.verdict(Self.verdict(limits, violated, state, arrival, now, isAlone)))
        }
        if isRefreshWanted { self.refreshDue() }
        return try decision.get()
    }

    private func judge(
        _ cost: Int64,
        _ limit: Limit,
        _ state: inout State,
        _ now: Instant,
        _ isAlone: Bool
    ) -> Result<LimitBucket.Judgement, Problem> {
        let judgement = state.buckets[limit.counter]?.judge(cost, of: limit.units, at: now, isAlone: isAlone) ?? .unknown(cost)
        guard case .unknown = judgement, let awayUntil = state.awayUntil, now < awayUntil else { return .success(judgement) }
        // What was granted is good in its window, whether more can be had or not.
        if state.buckets[limit.counter]?.holds(cost, at: now) == true { return .success(.enough) }
        switch limit.policy.failing {
        // Who is only watched is refused by nothing.
        case .closed where !limit.isEnforced: return .success(judgement)
        case .closed: return .failure(Problem(.unavailable, "The gateway cannot reach its database.", retryAfter: 1))
        case .local:
            let seconds = Int64(Date().timeIntervalSince1970)
            let start = seconds - seconds % limit.policy.windowSeconds
            let rest = Duration.seconds(start + limit.policy.windowSeconds - seconds)
            state.buckets[limit.counter, default: LimitBucket()].countAlone(limit.units, windowStart: start, windowRest: rest, at: now)
            return .success(state.buckets[limit.counter]?.judge(cost, of: limit.units, at: now, isAlone: isAlone) ?? .spent)
        }
    }

    /// - Returns: whether a refresh became due.
    private func take(_ cost: Int64, _ limit: Limit, _ state: inout State, _ now: Instant, _ isAlone: Bool) -> Bool {
        state.buckets[limit.counter]?.take(cost, at: now)
        guard state.buckets[limit.counter]?.wantsRefresh(of: limit.units, at: now, isAlone: isAlone) == true else { return false }
        return Self.note((limit, 0), in: &state)
    }

    private static func note(_ question: (limit: Limit, needed: Int64), in state: inout State) -> Bool {
        let known = state.asked[question.limit.counter]?.needed ?? 0
        state.asked[question.limit.counter] = (question.limit, max(known, question.needed))
        defer { state.isRefreshDue = true }
        return !state.isRefreshDue
    }

    /// The end of a window of which only the guard is left.
    private static func endingWindow(_ questions: [(limit: Limit, needed: Int64)], _ state: State, _ now: Instant) -> Instant? {
        questions.compactMap { question in
            guard let window = state.buckets[question.limit.counter]?.window else { return nil }
            return now >= window.until && now < window.endsBy ? window.endsBy : nil
        }.max()
    }

    private static func verdict(
        _ limits: [Limit],
        _ violated: [LimitPolicy],
        _ state: State,
        _ arrival: Instant,
        _ now: Instant,
        _ isAlone: Bool
    ) -> LimitVerdict {
        let standings = limits.compactMap { limit in
            state.buckets[limit.counter].flatMap { Self.standing(limit, $0, arrival, now, isAlone) }
        }
        return LimitVerdict(standings: standings, violated: violated)
    }

    private static func standing(
        _ limit: Limit,
        _ bucket: LimitBucket,
        _ arrival: Instant,
        _ now: Instant,
        _ isAlone: Bool
    ) -> Standing? {
        guard let window = bucket.window, let heardAt = bucket.heardAt else { return nil }
        return Standing(
            limit: limit,
            remaining: bucket.remaining(of: limit.units, isExact: isAlone || heardAt >= arrival, at: now),
            resetAfter: max(1, Int64(((window.endsBy - now) / .seconds(1)).rounded(.up))),
            resetAt: window.start + limit.policy.windowSeconds
        )
    }

    private static func report(_ spent: [Limit]) {
        for limit in spent {
            Counter(label: "rate_limit_dry_run_refusals", dimensions: [("policy", limit.policy.rawValue)]).increment()
        }
    }

    // MARK: - Asking

    /// Comes back when a statement that was sent after this call has been answered, or has failed.
    private func ask(_ questions: [(limit: Limit, needed: Int64)]) async {
        let role = await withCheckedContinuation { (continuation: CheckedContinuation<Role, Never>) in
            let isLeader = self.state.withLock { state in
                for question in questions {
                    let known = state.asked[question.limit.counter]?.needed ?? 0
                    state.asked[question.limit.counter] = (question.limit, known + question.needed)
                }
                guard state.isAsking else {
                    state.isAsking = true
                    return true
                }
                state.waiting.append(continuation)
                return false
            }
            if isLeader { continuation.resume(returning: .leader) }
        }
        if role == .leader { await self.lead() }
    }

    /// Sends one statement for all who wait, wakes them, and hands the lead to one of those who came meanwhile.
    private func lead() async {
        let (questions, members) = self.state.withLock { state in
            defer {
                state.asked = [:]
                state.waiting = []
            }
            return (Self.questions(state, self.clock.now), state.waiting)
        }
        await self.send(questions)
        for member in members { member.resume(returning: .member) }
        let next = self.state.withLock { state -> CheckedContinuation<Role, Never>? in
            guard !state.waiting.isEmpty else {
                state.isAsking = false
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume(returning: .leader)
    }

    private static func questions(_ state: State, _ now: Instant) -> [RateLimitStore.Question] {
        state.asked.values.map { limit, needed in
            let lot = state.buckets[limit.counter, default: LimitBucket()].lot(needed: needed, of: limit.units, at: now)
            return RateLimitStore.Question(limit: limit, wanted: max(0, lot))
        }
    }

    /// In a task of its own: the units of a question belong to all who wait, not to the one request that may be given up meanwhile.
    private func send(_ questions: [RateLimitStore.Question]) async {
        await Task {
            for start in stride(from: 0, to: questions.count, by: Self.batch) {
                await self.sendOne(Array(questions[start..<min(start + Self.batch, questions.count)]))
            }
        }.value
    }

    private func sendOne(_ questions: [RateLimitStore.Question]) async {
        let sentAt = self.clock.now
        do {
            let grants = try await self.store.grant(questions)
            self.state.withLock { state in
                let now = self.clock.now
                state.awayUntil = nil
                for question in questions {
                    guard let grant = grants[question.limit.counter] else { continue }
                    state.buckets[question.limit.counter, default: LimitBucket()].hear(
                        grant,
                        wanted: question.wanted,
                        sentAt: sentAt,
                        at: now
                    )
                }
            }
        } catch {
            Counter(label: "rate_limit_questions_failed").increment()
            let wasAway = self.state.withLock { state in
                defer { state.awayUntil = self.clock.now + Self.awayFor }
                return state.awayUntil != nil
            }
            if !wasAway { self.logger.warning("Units cannot be asked for; each policy does what it says", metadata: ["error": "\(error)"]) }
        }
    }
}
