import Foundation
import Hummingbird
import Models
import ServiceKit

/// Which stretch of time is asked for, and how finely.
struct UsageQuery: Sendable, Equatable {
    enum Granularity: String, CaseIterable, Sendable {
        case hour, day, month

        /// What long stretches are read from.
        var grain: UsageGrain { self == .hour ? .hour : .day }

        /// The longest stretch that is answered, in days: some hundred points of a series.
        var longest: Int {
            switch self {
            case .hour: 7
            case .day: 400
            case .month: 3_660
            }
        }

        /// What is answered where no beginning is given, in days.
        fileprivate var usual: Int {
            switch self {
            case .hour: 1
            case .day: 30
            case .month: 365
            }
        }
    }

    /// Whole hours, or whole days (UTC) for days and months: what is counted is kept by these.
    var from: Date
    /// The first hour or day that is not counted.
    var to: Date
    var granularity: Granularity

    static let names: Set<String> = ["from", "to", "granularity"]

    /// `?from=&to=&granularity=`; without them the last day by hours.
    /// - Throws: one validation problem that names every fault.
    init(_ request: Request, now: Date) throws {
        var faults: [Problem.Fault] = try request.unknownParameters(besides: Self.names)
        let granularity = request.query("granularity").map { Granularity(rawValue: $0) } ?? .hour
        if granularity == nil {
            let known = Granularity.allCases.map(\.rawValue).joined(separator: ", ")
            faults.append(.init(pointer: "?granularity", detail: "must be one of \(known)"))
        }
        self.granularity = granularity ?? .hour
        let grain = self.granularity.grain
        let end = Self.whole(grain, request.time("to", &faults) ?? now, .up)
        let start = request.time("from", &faults) ?? end.addingTimeInterval(-Double(self.granularity.usual) * 86_400)
        (self.from, self.to) = (Self.whole(grain, start, .down), end)
        if faults.isEmpty, self.from >= self.to { faults.append(.init(pointer: "?to", detail: "must lie after from")) }
        if faults.isEmpty, self.to.timeIntervalSince(self.from) > Double(self.granularity.longest) * 86_400 {
            let detail = "lies more than \(self.granularity.longest) days before to, the most for granularity \(self.granularity.rawValue)"
            faults.append(.init(pointer: "?from", detail: detail))
        }
        guard faults.isEmpty else { throw Problem.validation(faults) }
    }

    private static func whole(_ grain: UsageGrain, _ date: Date, _ rule: FloatingPointRoundingRule) -> Date {
        let seconds = Double(grain.seconds)
        return Date(timeIntervalSince1970: (date.timeIntervalSince1970 / seconds).rounded(rule) * seconds)
    }
}

extension Request {
    /// A fault for each query parameter that is not one of these.
    fileprivate func unknownParameters(besides names: Set<String>) throws -> [Problem.Fault] {
        do {
            // Its own two are for lists.
            _ = try self.page(alsoAllowing: names)
        } catch let problem as Problem {
            return problem.errors
        }
        return ["limit", "cursor"].filter { self.query($0) != nil }.map { .init(pointer: "?\($0)", detail: "is not a known parameter") }
    }
}
