/// When a delivery is tried: seconds before each attempt, the first included.
struct RetrySchedule: Sendable, Equatable {
    /// 10 attempts over 75 h 35 min 5 s: the schedule that Standard Webhooks 1.0.0 gives as its example.
    static let standard = RetrySchedule(checked: [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400])
    /// Waits are spread by this share to either side, so that what failed together does not come back together.
    static let jitter = 0.2
    /// Longest `Retry-After` that is honoured, in seconds.
    static let longestRetryAfter = 86_400.0

    private let waits: [Double]

    private init(checked waits: [Double]) { self.waits = waits }

    /// Attempts that a schedule may have.
    static let attempts = 1...50
    /// Seconds that one wait may last: a week.
    static let wait = 0...604_800.0

    /// nil where there are too few waits, or too many, or one is out of range.
    init?(waits: [Double]) {
        guard Self.attempts.contains(waits.count), waits.allSatisfy(Self.wait.contains) else { return nil }
        self.waits = waits
    }

    /// `0,5,300`: waits in seconds, fractions allowed. nil for anything else.
    init?(parsing text: String) {
        let parts = text.split(separator: ",", omittingEmptySubsequences: false)
        let waits = parts.compactMap { Double($0.filter { $0 != " " }) }
        guard waits.count == parts.count else { return nil }
        self.init(waits: waits)
    }

    var text: String {
        self.waits.map { $0 == $0.rounded() ? String(Int($0)) : String($0) }.joined(separator: ",")
    }

    /// Seconds before the first attempt.
    var first: Double { self.waits.first ?? 0 }

    /// Seconds to wait after the failure with this number (1 is the first), or nil where that was the last attempt.
    /// - retryAfter: what the target asked for; a longer wait than the schedule's is honoured, a shorter one is not.
    /// - chance: -1 to 1, where in the spread the wait lies.
    func wait(afterFailure number: Int, retryAfter: Double?, chance: Double) -> Double? {
        guard number < self.waits.count else { return nil }
        return max(self.waits[number] * (1 + Self.jitter * chance), min(retryAfter ?? 0, Self.longestRetryAfter))
    }
}
