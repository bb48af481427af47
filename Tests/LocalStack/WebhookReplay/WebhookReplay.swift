/// What a ``WebhookReplayRun`` came to.
package struct WebhookReplay: Sendable {
    let totals: LedgerTotals
    let counts: LedgerDatabase.Counts
    let replay: ReplayJob
    /// Of the same range, once the first was through.
    let second: ReplayJob
    let strikes: [ReplayStrike]
    let misdelivered: Int
    let seconds: Double
    /// A replay did not come to its end.
    package let isStalled: Bool

    private struct Line {
        var what: String
        var count: Int
        var mustBe = ""
        var isMet = true
    }

    /// Answers that were out and not yet in the database, over both kills: as many repeats are in order.
    private var bound: Int { self.strikes.map(\.strike.answered).reduce(0, +) }

    private var lines: [Line] {
        func exactly(_ what: String, _ count: Int, _ wanted: Int) -> Line {
            Line(what: what, count: count, mustBe: String(wanted), isMet: count == wanted)
        }
        let events = self.totals.published
        return [
            Line(what: "events published", count: events),
            exactly("events stored", self.counts.stored, events),
            exactly("replay: events in its range", self.replay.total, events),
            exactly("  looked at", self.replay.lookedAt, events),
            exactly("  deliveries made", self.replay.made, events),
            exactly("  deliveries succeeded", self.replay.succeeded, events),
            exactly("  deliveries dead", self.replay.dead, 0),
            exactly("  deliveries pending", self.replay.waiting, 0),
            exactly("events with another number of deliveries than one", self.misdelivered, 0),
            exactly("events received at least once", self.totals.received, events),
            exactly("LOST: never answered 200", self.totals.lost.count, 0),
            exactly("SENT AGAIN after they had succeeded by a kill", self.totals.repeatedAfterSuccess.count, 0),
            Line(what: "DUPLICATES: events answered 200 more than once", count: self.totals.duplicates),
            Line(
                what: "  their answers beyond the first",
                count: self.totals.surplus,
                mustBe: "at most \(self.bound)",
                isMet: self.totals.surplus <= self.bound
            ),
            exactly("  events of which no kill excuses that", self.totals.unexcused.count, 0),
            Line(what: "answered 200 and not settled at the kills (the bound)", count: self.bound),
            exactly("requests with another body than the first", self.totals.changed, 0),
            exactly("requests whose id and event do not agree", self.totals.strangers, 0),
            exactly("second replay: looked at", self.second.lookedAt, events),
            exactly("  deliveries made", self.second.made, 0),
            exactly("kills of webhooks", self.strikes.count, ReplayKills.count),
            Line(what: "seconds", count: Int(self.seconds.rounded())),
            Line(what: "deliveries a second", count: Int((Double(self.replay.succeeded) / max(self.seconds, 0.001)).rounded())),
        ]
    }

    /// Everything was sent, and nothing twice that had succeeded.
    package var isClean: Bool { !self.isStalled && self.lines.allSatisfy(\.isMet) }

    package var table: TextTable {
        var table = TextTable(["what", "count", "must be"])
        for line in self.lines { table.add([line.what, String(line.count), line.mustBe]) }
        return table
    }

    package var kills: TextTable {
        var table = TextTable(["kill at", "in a page", "made", "succeeded", "claimed", "received", "answered 200", "ready after s"])
        for strike in self.strikes {
            let counts = [strike.made, strike.succeeded, strike.strike.claimed, strike.strike.begun, strike.strike.answered]
            table.add(
                [strike.moment, strike.cutsPage ? "yes" : "no"] + counts.map { String($0) }
                    + [String(Double(Int(strike.strike.seconds * 10)) / 10)]
            )
        }
        return table
    }
}
