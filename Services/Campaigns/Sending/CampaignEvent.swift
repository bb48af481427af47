import Models

/// What the events of a campaign tell (the webhooks service's catalogue describes them).
enum CampaignEvent {
    static func started(_ id: CampaignID, name: String, counts: MessageCounts) -> JSONValue {
        [
            "campaign_id": .integer(id.rawValue), "name": .string(name), "channel": "email",
            "recipients": .integer(Int64(counts.pending)), "skipped": .integer(Int64(counts.skipped)),
        ]
    }

    static func sent(_ id: CampaignID, name: String, counts: MessageCounts) -> JSONValue {
        [
            "campaign_id": .integer(id.rawValue), "name": .string(name), "channel": "email",
            "counts": [
                "total": .integer(Int64(counts.total)),
                "accepted": .integer(Int64(counts.accepted)),
                "failed": .integer(Int64(counts.failed)),
                "in_doubt": .integer(Int64(counts.inDoubt)),
                "skipped": .integer(Int64(counts.skipped)),
            ],
        ]
    }
}

extension Duration {
    /// As Postgres's `make_interval(secs => …)` takes it.
    var inSeconds: Double { Double(self.components.seconds) + Double(self.components.attoseconds) / 1e18 }
}
