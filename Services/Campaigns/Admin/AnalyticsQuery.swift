import Foundation
import Hummingbird
import Models
import ServiceKit

/// `?from=&to=&limit=&cursor=`: which days, in UTC; without them the last thirty, today included.
struct AnalyticsQuery: Sendable, Equatable {
    static let names: Set<String> = ["from", "to"]
    /// Days answered at most: every message of them is counted.
    static let longest = 366

    /// Midnight of the first day.
    var from: Date
    /// Midnight after the last day.
    var to: Date
    var page: PageRequest

    private static let day = 86_400.0

    init(from: Date, to: Date, page: PageRequest = PageRequest()) {
        self.from = from
        self.to = to
        self.page = page
    }

    /// - Throws: one validation problem that names every fault.
    init(_ request: Request, now: Date) throws {
        self.page = try request.page(alsoAllowing: Self.names)
        var faults: [Problem.Fault] = []
        func time(_ name: String) -> Date? {
            guard let text = request.query(name) else { return nil }
            let date = Timestamp.parse(text)
            if date == nil { faults.append(.init(pointer: "?\(name)", detail: "must be a time like 2026-11-22T08:30:00Z")) }
            return date
        }
        let end = Self.midnight(time("to") ?? now, .up)
        let start = time("from") ?? end.addingTimeInterval(-Double(CampaignsSummary.daysCovered) * Self.day)
        (self.from, self.to) = (Self.midnight(start, .down), end)
        if faults.isEmpty, self.from >= self.to { faults.append(.init(pointer: "?to", detail: "must lie after from")) }
        if faults.isEmpty, self.to.timeIntervalSince(self.from) > Double(Self.longest) * Self.day {
            faults.append(.init(pointer: "?from", detail: "lies more than \(Self.longest) days before to"))
        }
        guard faults.isEmpty else { throw Problem.validation(faults) }
    }

    /// The days that the overview covers.
    static func overview(now: Date) -> AnalyticsQuery {
        let end = Self.midnight(now, .up)
        return AnalyticsQuery(from: end.addingTimeInterval(-Double(CampaignsSummary.daysCovered) * Self.day), to: end)
    }

    private static func midnight(_ date: Date, _ rule: FloatingPointRoundingRule) -> Date {
        Date(timeIntervalSince1970: (date.timeIntervalSince1970 / Self.day).rounded(rule) * Self.day)
    }
}

/// The answer: what became of the messages on these days, and the campaigns that were on their way then.
struct CampaignAnalytics: Encodable, Sendable {
    var from: Date
    var to: Date
    var totals: MessageSums
    var days: [MessageDay]
    var campaigns: Page<CampaignFigures>

    private enum CodingKeys: String, CodingKey { case from, to, totals, days }

    func encode(to encoder: any Encoder) throws {
        // `data` and `next_cursor` stand beside the sums, as in every list.
        try self.campaigns.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.from, forKey: .from)
        try container.encode(self.to, forKey: .to)
        try container.encode(self.totals, forKey: .totals)
        try container.encode(self.days, forKey: .days)
    }
}

/// A campaign with its messages by state, as they stand now.
struct CampaignFigures: Encodable, Sendable {
    var id: CampaignID
    var name: String
    var channel: Channel
    var status: CampaignStatus
    var startedAt: Date
    var finishedAt: Date?
    var counts: MessageCounts

    private enum CodingKeys: String, CodingKey {
        case id, name, channel, status, counts
        case startedAt = "started_at"
        case finishedAt = "finished_at"
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.id, forKey: .id)
        try container.encode(self.name, forKey: .name)
        try container.encode(self.channel, forKey: .channel)
        try container.encode(self.status, forKey: .status)
        try container.encode(self.startedAt, forKey: .startedAt)
        try container.encode(self.finishedAt, forKey: .finishedAt)
        try container.encode(self.counts, forKey: .counts)
    }
}
