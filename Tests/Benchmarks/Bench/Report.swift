import Foundation

/// Holds contests, prints each, and keeps the verdicts for the table at the end.
struct Report {
    /// Interleaved, so that a slow minute of the machine falls on all.
    static let rounds = 3

    private var verdicts: [Verdict] = []

    /// Rounds of all contestants in turn; every second round goes backwards, so that nobody always follows the same one.
    mutating func hold(_ contest: Contest) async throws {
        Self.show("\n\(contest.title)")
        var figures = contest.contestants.map { Figures(name: $0.name, part: $0.part) }
        for round in 0..<Self.rounds {
            let order = round.isMultiple(of: 2) ? Array(figures.indices) : figures.indices.reversed()
            for index in order { figures[index].rounds.append(try await contest.contestants[index].measure()) }
        }
        let verdict = Verdict(title: contest.title, aim: contest.aim, figures: figures)
        for line in figures { Self.show(self.line(line, of: verdict)) }
        self.verdicts.append(verdict)
    }

    /// At once, also into a file or a pipe: a run takes minutes.
    static func show(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

    /// Median, the rounds behind it, and how ours compares with it.
    private func line(_ figures: Figures, of verdict: Verdict) -> String {
        let rounds = figures.rounds.map(Self.number).joined(separator: " ")
        var line = "  \(figures.name.padded(34)) \(Self.number(figures.median).padded(12, right: true))/s   (\(rounds))"
        if figures.part != .ours, let ours = verdict.ours, figures.median > 0 {
            line += "   ours is \(Self.ratio(ours.median / figures.median)) of it"
        }
        return line
    }

    var summary: String {
        let header = ["figure", "Switchboard", "best peer", "peer's", "ratio", "aim", ""]
        let rows = self.verdicts.map { verdict in
            [
                verdict.title,
                verdict.ours.map { Self.number($0.median) } ?? "-",
                verdict.rival?.name ?? "-",
                verdict.rival.map { Self.number($0.median) } ?? "-",
                verdict.ratio.map(Self.ratio) ?? "-",
                verdict.aim.map(Self.ratio) ?? "-",
                verdict.word,
            ]
        }
        let widths = header.indices.map { column in ([header] + rows).map { $0[column].count }.max() ?? 0 }
        let rule = widths.map { String(repeating: "-", count: $0) }
        let lines = ([header, rule] + rows).map { row in
            row.indices.map { row[$0].padded(widths[$0], right: [1, 3, 4, 5].contains($0)) }.joined(separator: "  ")
        }
        let missed = self.verdicts.filter { $0.word == "MISSED" }.count
        let end = missed == 0 ? "Every aim is met." : "\(missed) aim(s) missed."
        return "\nMedians of \(Self.rounds) rounds, each a second or more, peers and ours in turn on one machine.\n\n"
            + lines.joined(separator: "\n") + "\n\n" + end
    }

    /// Thousands apart: `1 234 567`.
    private static func number(_ value: Double) -> String {
        let digits = String(Int64(value.rounded()))
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text += " " }
            text.append(digit)
        }
        return text
    }

    private static func ratio(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        return "\(hundredths / 100).\(String(hundredths % 100 + 100).dropFirst())"
    }
}

extension String {
    fileprivate func padded(_ width: Int, right: Bool = false) -> String {
        let space = String(repeating: " ", count: max(0, width - self.count))
        return right ? space + self : self + space
    }
}
