/// One thing that several contestants do, measured in turn.
struct Contest: Sendable {
    struct Contestant: Sendable {
        enum Part: Sendable {
            case ours
            /// The best of these is what our figure is divided by.
            case rival
            /// Printed beside, no aim.
            case reference
        }

        var name: String
        var part: Part
        /// One measurement: how many a second.
        var measure: @Sendable () async throws -> Double

        init(_ name: String, _ part: Part, _ measure: @escaping @Sendable () async throws -> Double) {
            self.name = name
            self.part = part
            self.measure = measure
        }
    }

    var title: String
    /// What our figure should be of the best rival's; nil where figures are only printed.
    var aim: Double?
    var contestants: [Contestant]
}

/// Figures of one contestant, a round each.
struct Figures: Sendable {
    var name: String
    var part: Contest.Contestant.Part
    var rounds: [Double] = []

    var median: Double {
        let sorted = self.rounds.sorted()
        let middle = sorted.count / 2
        return sorted.isEmpty ? 0 : sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}

/// What a contest came to.
struct Verdict: Sendable {
    var title: String
    var aim: Double?
    var figures: [Figures]

    var ours: Figures? { self.figures.first { $0.part == .ours } }
    var rival: Figures? { self.figures.filter { $0.part == .rival }.max { $0.median < $1.median } }

    /// Ours over the best rival's.
    var ratio: Double? {
        guard let ours, let rival, rival.median > 0 else { return nil }
        return ours.median / rival.median
    }

    var word: String {
        guard let aim, let ratio else { return "-" }
        return ratio >= aim ? "met" : "MISSED"
    }
}
