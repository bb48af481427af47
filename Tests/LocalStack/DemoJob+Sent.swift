import Models

extension DemoJob {
    /// The campaign will not be sent, or not in a time that anybody waits for.
    package struct Stuck: Error, CustomStringConvertible { package var description: String }

    /// Waits for the campaign to be sent. A gateway or service that is away for a moment is asked again.
    /// - standstill: how long nothing may happen: a slow machine may take its time, a stuck campaign is told of soon.
    package func waitUntilSent(_ api: PublicAPI, campaign: Int64, standstill: Duration = .seconds(60)) async throws {
        var last = Progress()
        var moved = ContinuousClock.now
        try await LocalWait.until("the campaign to be sent", within: .seconds(1800), every: .milliseconds(200)) { () -> Void? in
            if let state = try await self.tolerant({ try await api.call(.get, "/api/v1/campaigns/\(campaign)") }) {
                let progress = Progress(state)
                if progress != last { moved = .now }
                last = progress
                self.report("accepted \(progress.counts["accepted"] ?? 0) of \(progress.counts["total"] ?? 0)")
                if progress.status == "sent" { return () }
                if ["paused", "cancelled", "failed"].contains(progress.status) { throw self.stuck("is \(progress.status)", last) }
            }
            if ContinuousClock.now - moved > standstill { throw self.stuck("has stood still for \(standstill)", last) }
            return nil
        }
    }

    /// What changes while a campaign gets on. Claims do not count: a batch that is refused is claimed again and again.
    private struct Progress: Equatable {
        var status = "unknown"
        var reason: String?
        var counts: [String: Int64] = [:]

        init() {}

        init(_ campaign: JSONValue) {
            self.status = campaign["status"]?.stringValue ?? "unknown"
            self.reason = campaign["status_reason"]?.stringValue
            for state in ["total", "accepted", "failed", "in_doubt", "skipped", "cancelled"] {
                self.counts[state] = campaign["counts"]?[state]?.integerValue
            }
        }
    }

    private func stuck(_ what: String, _ progress: Progress) -> Stuck {
        let counts = progress.counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        return Stuck(
            description: """
                the campaign \(what) (status \(progress.status), reason: \(progress.reason ?? "none given"); \(counts)); \
                the processes' logs are in \(self.settings.runDirectory)/logs
                """
        )
    }
}
