import Database
import Models

/// What requests of one hour or day, key, route and status are counted under.
struct UsageKey: Hashable, Comparable, Sendable {
    /// 0 for requests whose organization is not known.
    var organization: Int64
    var grain: UsageGrain
    /// Unix seconds of the hour's or day's beginning.
    var start: Int64
    /// 0 for members.
    var key: Int64
    var route: String
    var status: Int

    /// The order in which rows are written: the same in every replica, so that two that write at the same time never wait for each other.
    static func < (left: Self, right: Self) -> Bool {
        (left.organization, left.grain.rawValue, left.start, left.key)
            != (right.organization, right.grain.rawValue, right.start, right.key)
            ? (left.organization, left.grain.rawValue, left.start, left.key)
                < (right.organization, right.grain.rawValue, right.start, right.key)
            : (left.route, left.status) < (right.route, right.status)
    }
}

/// How long a stretch one sum covers.
enum UsageGrain: String, CaseIterable, Sendable, SQLEncodable {
    case hour, day

    var seconds: Int64 {
        switch self {
        case .hour: 3_600
        case .day: 86_400
        }
    }
}

/// Requests added up.
struct UsageSum: Sendable, Equatable {
    var requests: Int64 = 0
    var requestBytes: Int64 = 0
    var responseBytes: Int64 = 0
    var durationMicroseconds: Int64 = 0
    var latency = [Int64](repeating: 0, count: LatencyScale.count)

    mutating func add(_ record: RequestRecord) {
        self.requests += 1
        self.requestBytes += record.requestBytes ?? 0
        self.responseBytes += record.responseBytes
        self.durationMicroseconds += record.durationMicroseconds
        self.latency[LatencyScale.bucket(of: record.durationMicroseconds)] += 1
    }
}

enum UsageRollup {
    static func sums(of records: [RequestRecord]) -> [(key: UsageKey, sum: UsageSum)] {
        var sums: [UsageKey: UsageSum] = [:]
        for record in records {
            for grain in UsageGrain.allCases { sums[record.usageKey(grain), default: UsageSum()].add(record) }
        }
        return sums.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
