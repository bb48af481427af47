/// What a ``WebhookLedgerRun`` came to.
package struct WebhookLedger: Sendable {
    package let totals: LedgerTotals
    let counts: LedgerDatabase.Counts
    package let strikes: [LedgerStrike]
    package let seconds: Double
    /// Nothing more happened, although the queue was not empty.
    package var isStalled = false
    var toldStored = 0
    var batchesAgain = 0
    /// Events that have not exactly one delivery.
    var misdelivered = 0
    /// Of what should not be: events by their ids, with the attempts that the service wrote down.
    package var stories: [String] = []

    init(totals: LedgerTotals, counts: LedgerDatabase.Counts, strikes: [LedgerStrike], seconds: Double) {
        self.totals = totals
        self.counts = counts
        self.strikes = strikes
        self.seconds = seconds
    }

    /// Answers that were out and not yet in the database, over all faults: as many repeats are in order.
    private var bound: Int { self.strikes.map(\.answered).reduce(0, +) }

    /// Nothing lost, and nothing repeated that no fault excuses.
    package var isClean: Bool {
        !self.isStalled && self.totals.lost.isEmpty && self.totals.surplus <= self.bound && self.totals.unexcused.isEmpty
            && self.totals.changed == 0 && self.totals.strangers == 0 && self.misdelivered == 0 && self.counts.waiting == 0
            && self.counts.stored == self.totals.published
    }

    package var table: TextTable {
        var table = TextTable(["what", "count", "must be"])
        func add(_ what: String, _ count: Int, _ mustBe: String = "") { table.add([what, String(count), mustBe]) }
        let published = self.totals.published
        add("events published", published)
        add("batches sent again by the publisher", self.batchesAgain)
        add("events stored", self.counts.stored, String(published))
        add("told as new by the intake's answers", self.toldStored, "at most \(published)")
        add("events with another number of deliveries than one", self.misdelivered, "0")
        add("deliveries succeeded", self.counts.succeeded, String(published))
        add("deliveries dead", self.counts.dead, "0")
        add("deliveries pending", self.counts.waiting, "0")
        add("events received at least once", self.totals.received, String(published))
        add("LOST: never answered 200", self.totals.lost.count, "0")
        add("DUPLICATES: events answered 200 more than once", self.totals.duplicates)
        add("  their answers beyond the first", self.totals.surplus, "at most \(self.bound)")
        add("  events of which no fault excuses that", self.totals.unexcused.count, "0")
        add("answered 200 and not settled at the faults (the bound)", self.bound)
        add("received and not settled at the faults", self.strikes.map(\.begun).reduce(0, +))
        add("claimed and not settled at the faults", self.strikes.map(\.claimed).reduce(0, +))
        add("requests for an event that had come before", self.totals.repeats)
        add("  after it was taken and could not be told", self.totals.repeatsAfterSilence)
        add("  with another body", self.totals.changed, "0")
        add("requests whose id, event and endpoint do not agree", self.totals.strangers, "0")
        add("kills of webhooks", self.strikes.count { $0.fault == .kill })
        add("restarts of Postgres", self.strikes.count { $0.fault != .kill })
        add("seconds", Int(self.seconds.rounded()))
        add("events a second", Int((Double(self.totals.taken) / max(self.seconds, 0.001)).rounded()))
        return table
    }

    /// What the receiver did with what it got.
    package var conducts: TextTable {
        var table = TextTable(["the receiver's answers", "requests"])
        for conduct in Conduct.allCases { table.add([conduct.rawValue, String(self.totals.conducts[conduct] ?? 0)]) }
        return table
    }

    package var faults: TextTable {
        var table = TextTable(["fault", "at event", "claimed", "received", "answered 200", "ready after s"])
        for strike in self.strikes {
            table.add([
                strike.fault.rawValue, String(strike.taken), String(strike.claimed), String(strike.begun), String(strike.answered),
                String(Double(Int(strike.seconds * 10)) / 10),
            ])
        }
        return table
    }
}
