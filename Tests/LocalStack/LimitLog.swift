/// What the clients of a ``LimitRun`` saw, and what it proves.
package struct LimitLog: Sendable {
    /// One answer, as its client saw it. Times are Unix seconds.
    package struct Observation: Sendable {
        package var key: Int
        package var sentAt: Double
        package var receivedAt: Double
        package var isAdmitted: Bool
        /// Of each policy that the answer named.
        package var standings: [Standing]
    }

    package struct Standing: Sendable {
        package var policy: String
        package var remaining: Int
        package var resetAfter: Int
    }

    /// One key's window of one policy.
    package struct Window: Hashable, Sendable {
        package var key: Int
        package var policy: String
        /// Unix seconds at which it ends.
        package var end: Int
    }

    package struct Finding: Sendable {
        package var window: Window
        package var admitted: Int
        /// Answers that said that nothing is left.
        package var exhausted: Int
        /// By how much the rest was told too high, at worst: against what had surely been admitted before the request was sent.
        package var tooHigh: Int
        /// By how much it was told too low, at worst: against what may have been admitted before the answer came.
        package var tooLow: Int
    }

    /// Seconds of each policy's window, and its limit.
    package let policies: [String: (seconds: Int, limit: Int)]
    package private(set) var observations: [Observation] = []

    package init(policies: [String: (seconds: Int, limit: Int)]) { self.policies = policies }

    package mutating func add(_ more: [Observation]) { self.observations += more }

    package func findings() -> [Finding] {
        var byWindow: [Window: [(observation: Observation, remaining: Int)]] = [:]
        for observation in self.observations {
            for standing in observation.standings {
                guard let policy = self.policies[standing.policy] else { continue }
                let end = Self.windowEnd(standing, observation, seconds: policy.seconds)
                byWindow[Window(key: observation.key, policy: standing.policy, end: end), default: []].append(
                    (observation, standing.remaining)
                )
            }
        }
        return byWindow.map { window, seen in Self.finding(window, seen, limit: self.policies[window.policy]?.limit ?? 0) }
            .sorted { ($0.window.policy, $0.window.end, $0.window.key) < ($1.window.policy, $1.window.end, $1.window.key) }
    }

    /// Windows end at whole multiples of their length; `t` is rounded up, so that the end lies in the second before it.
    private static func windowEnd(_ standing: Standing, _ observation: Observation, seconds: Int) -> Int {
        Int((observation.receivedAt + Double(standing.resetAfter)) / Double(seconds)) * seconds
    }

    private static func finding(_ window: Window, _ seen: [(observation: Observation, remaining: Int)], limit: Int) -> Finding {
        let admitted = seen.filter(\.observation.isAdmitted)
        let received = admitted.map(\.observation.receivedAt).sorted()
        let sent = admitted.map(\.observation.sentAt).sorted()
        var finding = Finding(
            window: window,
            admitted: admitted.count,
            exhausted: seen.count { !$0.observation.isAdmitted && $0.remaining == 0 },
            tooHigh: .min,
            tooLow: .min
        )
        for (observation, remaining) in seen {
            let own = observation.isAdmitted ? 1 : 0
            let surely = Self.count(received, upTo: observation.sentAt) + own
            let perhaps = Self.count(sent, upTo: observation.receivedAt)
            finding.tooHigh = max(finding.tooHigh, remaining - max(0, limit - surely))
            finding.tooLow = max(finding.tooLow, max(0, limit - perhaps) - remaining)
        }
        return finding
    }

    /// How many of the sorted times lie at or before this one.
    private static func count(_ times: [Double], upTo time: Double) -> Int {
        var (low, high) = (0, times.count)
        while low < high {
            let middle = (low + high) / 2
            if times[middle] <= time { low = middle + 1 } else { high = middle }
        }
        return low
    }
}
