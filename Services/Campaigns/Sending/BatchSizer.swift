import Models
import Synchronization

/// How many messages to claim at once: about three seconds' worth of what the integration has lately taken in one stream, so that a slow one
/// holds few messages and gives the next campaign its turn soon.
final class BatchSizer: Sendable {
    private static let target: Duration = .seconds(3)
    private static let first = 100
    private static let least = 10
    /// Bytes of templates that a batch may multiply to.
    private static let byteLimit = 16 << 20
    /// Integrations remembered; beyond it all are forgotten and measured anew.
    private static let memory = 10_000

    private let limit: Int
    private let rates = Mutex<[IntegrationID: Double]>([:])

    init(limit: Int) { self.limit = limit }

    func limit(for letter: Letter) -> Int {
        let rate = self.rates.withLock { $0[letter.integrationID] }
        let byRate = rate.map { max(Self.least, Int($0 * Self.target.inSeconds)) } ?? Self.first
        let byBytes = max(1, Self.byteLimit / max(1, letter.size))
        return min(self.limit, byRate, byBytes)
    }

    /// Remembers a stream that settled `count` messages in this time; half of the weight stays with what was known.
    func record(_ count: Int, in duration: Duration, for integration: IntegrationID) {
        guard count > 0, duration > .zero else { return }
        let rate = min(Double(count) / duration.inSeconds, 1e6)
        self.rates.withLock { rates in
            if rates.count >= Self.memory { rates = [:] }
            rates[integration] = rates[integration].map { ($0 + rate) / 2 } ?? rate
        }
    }
}
