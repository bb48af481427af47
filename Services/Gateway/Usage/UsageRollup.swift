import Models

/// What requests of one hour, key, route and class of status are counted under.
struct UsageKey: Hashable, Comparable, Sendable {
    /// 0 for requests whose organization is not known.
    var organization: Int64
    /// Unix seconds of the hour's beginning.
    var hour: Int64
    /// 0 for members.
    var key: Int64
    var route: String
    var statusClass: Int

    /// The order in which rows are written: the same in every replica, so that two that write at the same time never wait for each other.
    static func < (left: Self, right: Self) -> Bool {
        (left.organization, left.hour, left.key, left.route, left.statusClass)
            < (right.organization, right.hour, right.key, right.route, right.statusClass)
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
        for record in records { sums[record.usageKey, default: UsageSum()].add(record) }
        return sums.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }
}
