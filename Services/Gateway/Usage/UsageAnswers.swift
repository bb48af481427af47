import Foundation
import Models

/// Figures in answers; percentiles are estimates (``LatencyScale/percentile(_:of:)``), null where there were no requests.
struct UsageItem: Encodable, Sendable {
    var group: UsageGroup
    var keyName: String?

    private enum CodingKeys: String, CodingKey {
        case name, route, status, time, requests, errors
        case keyID = "key_id"
        case requestBytes = "request_bytes"
        case responseBytes = "response_bytes"
        case average = "average_ms"
        case p50 = "p50_ms"
        case p95 = "p95_ms"
        case p99 = "p99_ms"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try self.encodeName(&container)
        let figures = self.group.figures
        try container.encode(figures.requests, forKey: .requests)
        try container.encode(figures.errors, forKey: .errors)
        try container.encode(figures.requestBytes, forKey: .requestBytes)
        try container.encode(figures.responseBytes, forKey: .responseBytes)
        let average = figures.requests > 0 ? Double(figures.durationMicroseconds) / Double(figures.requests) : nil
        try container.encode(average.map(Self.milliseconds), forKey: .average)
        for (share, key) in [(0.5, CodingKeys.p50), (0.95, .p95), (0.99, .p99)] {
            try container.encode(LatencyScale.percentile(share, of: figures.latency).map(Self.milliseconds), forKey: key)
        }
    }

    private func encodeName(_ container: inout KeyedEncodingContainer<CodingKeys>) throws {
        switch self.group.kind {
        case .all: break
        case .key:
            // null stands for members.
            try container.encode(self.group.key == 0 ? nil : self.group.key, forKey: .keyID)
            try container.encode(self.keyName, forKey: .name)
        case .route: try container.encode(self.group.route, forKey: .route)
        case .status: try container.encode(self.group.status, forKey: .status)
        case .keyRouteAndStatus:
            try container.encode(self.group.route, forKey: .route)
            try container.encode(self.group.status, forKey: .status)
        case .time: try container.encode(self.group.time, forKey: .time)
        }
    }

    /// Rounded to the microsecond.
    private static func milliseconds(_ microseconds: Double) -> Double { microseconds.rounded() / 1_000 }
}

struct KeyUsage: Encodable, Sendable {
    var from: Date
    var to: Date
    var totals: UsageItem?
    /// By route and status, the busiest first.
    var routes: [UsageItem]

    init(_ query: UsageQuery, _ groups: [UsageGroup]) {
        let items = groups.map { UsageItem(group: $0) }
        self.from = query.from
        self.to = query.to
        self.totals = items.first { $0.group.kind == .all }
        self.routes = items.filter { $0.group.kind == .keyRouteAndStatus }
    }
}

struct UsageAnalytics: Encodable, Sendable {
    var from: Date
    var to: Date
    var granularity: String
    var totals: UsageItem?
    var keys: [UsageItem]
    var routes: [UsageItem]
    var statuses: [UsageItem]
    /// Points of time in which there were requests, oldest first.
    var series: [UsageItem]

    init(_ query: UsageQuery, _ groups: [UsageGroup], names: [Int64: String]) {
        let items = groups.map { group in UsageItem(group: group, keyName: group.key.flatMap { names[$0] }) }
        self.from = query.from
        self.to = query.to
        self.granularity = query.granularity.rawValue
        self.totals = items.first { $0.group.kind == .all }
        self.keys = items.filter { $0.group.kind == .key }
        self.routes = items.filter { $0.group.kind == .route }
        self.statuses = items.filter { $0.group.kind == .status }
        self.series = items.filter { $0.group.kind == .time }
    }
}
