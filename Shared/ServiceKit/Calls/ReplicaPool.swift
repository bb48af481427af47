import Synchronization

/// The replicas of one service: the less busy of two picked at random among the healthy ones. A replica that cannot be connected to twice
/// in a row is left out for a growing while, then tried by one request alone.
final class ReplicaPool: Sendable {
    enum Pick: Sendable {
        case replica(index: Int)
        /// All are left out; the first comes back after this.
        case none(Duration)
    }

    private struct Replica {
        var inFlight = 0
        var failures = 0
        var outUntil: ContinuousClock.Instant?
        var isProbed = false
    }

    private static let tolerated = 2
    private let backoff: Backoff
    private let replicas: Mutex<[Replica]>

    /// - count: of the replicas, which are known by their place.
    init(_ count: Int, backoff: Backoff = Backoff(base: .milliseconds(250), limit: .seconds(5))) {
        self.backoff = backoff
        self.replicas = Mutex(Array(repeating: Replica(), count: count))
    }

    /// - avoiding: replicas that this call has tried, used again only where there is no other.
    func pick(avoiding: Set<Int> = [], now: ContinuousClock.Instant = .now) -> Pick {
        self.replicas.withLock { replicas in
            if replicas.count == 1, replicas[0].outUntil == nil { return Self.take(0, &replicas) }
            let healthy = replicas.indices.filter { replicas[$0].outUntil == nil }
            let probes = replicas.indices.filter { !replicas[$0].isProbed && (replicas[$0].outUntil.map { $0 <= now } ?? false) }
            if let probe = probes.first(where: { !avoiding.contains($0) }) {
                replicas[probe].isProbed = true
                return Self.take(probe, &replicas)
            }
            let fresh = healthy.filter { !avoiding.contains($0) }
            let candidates = fresh.isEmpty ? healthy : fresh
            if let first = candidates.randomElement(), let second = candidates.randomElement() {
                return Self.take(replicas[first].inFlight <= replicas[second].inFlight ? first : second, &replicas)
            }
            if let probe = probes.first {
                replicas[probe].isProbed = true
                return Self.take(probe, &replicas)
            }
            let next = replicas.compactMap(\.outUntil).min() ?? now + .seconds(1)
            return .none(max(next - now, .milliseconds(50)))
        }
    }

    private static func take(_ index: Int, _ replicas: inout [Replica]) -> Pick {
        replicas[index].inFlight += 1
        return .replica(index: index)
    }

    enum Outcome: Sendable { case answered, notConnected, other }

    func finish(_ index: Int, _ outcome: Outcome, now: ContinuousClock.Instant = .now) {
        self.replicas.withLock { replicas in
            replicas[index].inFlight -= 1
            let wasProbed = replicas[index].isProbed
            switch outcome {
            case .answered:
                replicas[index].failures = 0
                replicas[index].outUntil = nil
                replicas[index].isProbed = false
            case .notConnected:
                // Calls that were under way when it was left out tell nothing new.
                guard replicas[index].outUntil == nil || wasProbed else { return }
                replicas[index].failures += 1
                replicas[index].isProbed = false
                let beyond = replicas[index].failures - Self.tolerated + 1
                if beyond > 0 { replicas[index].outUntil = now + self.backoff.delay(afterFailures: beyond) }
            case .other:
                // A connection was made; a probe that ended so may be followed by another.
                if wasProbed { replicas[index].isProbed = false }
            }
        }
    }

    /// Replicas that are not left out.
    var healthyCount: Int { self.replicas.withLock { $0.count { $0.outUntil == nil } } }
}
