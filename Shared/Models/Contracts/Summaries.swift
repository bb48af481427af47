package import Foundation

// Owning services → Gateway: what the admin's overview shows of one organization. `GET /internal/<service>/summary` answers these; the
// organization is that of the principal in the signed identity. Members without a value are absent.

package struct IntegrationsSummary: Codable, Sendable, Equatable {
    package var total: Int
    package var byStatus: StatusCounts
    package var byHealth: HealthCounts
    /// Providers with at least one integration, by name.
    package var providers: [ProviderCount]
    /// Integrations that need a person or whose last sync failed: the newest.
    package var failing: [FailingIntegration]
    /// The runs asked for last, newest first.
    package var lastSyncs: [SyncBrief]

    package init(
        total: Int,
        byStatus: StatusCounts,
        byHealth: HealthCounts,
        providers: [ProviderCount],
        failing: [FailingIntegration],
        lastSyncs: [SyncBrief]
    ) {
        self.total = total
        self.byStatus = byStatus
        self.byHealth = byHealth
        self.providers = providers
        self.failing = failing
        self.lastSyncs = lastSyncs
    }

    package enum CodingKeys: String, CodingKey {
        case total, providers, failing
        case byStatus = "by_status"
        case byHealth = "by_health"
        case lastSyncs = "last_syncs"
    }

    package struct StatusCounts: Codable, Sendable, Equatable {
        package var enabled = 0
        package var paused = 0
        package var needsAttention = 0

        package init() {}

        package enum CodingKeys: String, CodingKey {
            case enabled, paused
            case needsAttention = "needs_attention"
        }
    }

    package struct HealthCounts: Codable, Sendable, Equatable {
        package var healthy = 0
        package var waiting = 0
        package var failing = 0
        package var paused = 0
        package var unknown = 0

        package init() {}
    }

    package struct ProviderCount: Codable, Sendable, Equatable {
        package var provider: String
        package var integrations: Int
        package var failing: Int

        package init(provider: String, integrations: Int, failing: Int) {
            self.provider = provider
            self.integrations = integrations
            self.failing = failing
        }
    }

    package struct FailingIntegration: Codable, Sendable, Equatable {
        package var id: IntegrationID
        package var provider: String
        package var name: String
        package var status: String
        package var reason: String?
        package var lastSyncedAt: Date?

        package init(id: IntegrationID, provider: String, name: String, status: String, reason: String?, lastSyncedAt: Date?) {
            self.id = id
            self.provider = provider
            self.name = name
            self.status = status
            self.reason = reason
            self.lastSyncedAt = lastSyncedAt
        }

        package enum CodingKeys: String, CodingKey {
            case id, provider, name, status, reason
            case lastSyncedAt = "last_synced_at"
        }
    }

    package struct SyncBrief: Codable, Sendable, Equatable {
        package var id: Int64
        package var integrationID: IntegrationID
        package var name: String
        package var state: String
        package var fetched: Int
        package var error: String?
        package var createdAt: Date
        package var finishedAt: Date?

        package init(
            id: Int64,
            integrationID: IntegrationID,
            name: String,
            state: String,
            fetched: Int,
            error: String?,
            createdAt: Date,
            finishedAt: Date?
        ) {
            self.id = id
            self.integrationID = integrationID
            self.name = name
            self.state = state
            self.fetched = fetched
            self.error = error
            self.createdAt = createdAt
            self.finishedAt = finishedAt
        }

        package enum CodingKeys: String, CodingKey {
            case id, name, state, fetched, error
            case integrationID = "integration_id"
            case createdAt = "created_at"
            case finishedAt = "finished_at"
        }
    }
}

package struct CampaignsSummary: Codable, Sendable, Equatable {
    /// Days that ``messages`` and ``days`` cover, today included.
    package static let daysCovered = 30

    package var total: Int
    /// Every status, with 0 where there is none.
    package var byStatus: [String: Int]
    package var contacts: Int
    /// Messages of the days covered.
    package var messages: MessageSums
    /// Days (UTC) on which something happened, oldest first.
    package var days: [MessageDay]

    package init(total: Int, byStatus: [String: Int], contacts: Int, messages: MessageSums, days: [MessageDay]) {
        self.total = total
        self.byStatus = byStatus
        self.contacts = contacts
        self.messages = messages
        self.days = days
    }

    package enum CodingKeys: String, CodingKey {
        case total, contacts, messages, days
        case byStatus = "by_status"
    }
}

/// Messages by how they ended.
package struct MessageSums: Codable, Sendable, Equatable {
    package var accepted = 0
    package var failed = 0
    package var inDoubt = 0

    package init() {}

    package init(_ days: [MessageDay]) {
        for day in days {
            self.accepted += day.accepted
            self.failed += day.failed
            self.inDoubt += day.inDoubt
        }
    }

    package enum CodingKeys: String, CodingKey {
        case accepted, failed
        case inDoubt = "in_doubt"
    }
}

package struct MessageDay: Codable, Sendable, Equatable {
    /// `2026-11-22`, in UTC.
    package var day: String
    package var accepted: Int
    package var failed: Int
    package var inDoubt: Int

    package init(day: String, accepted: Int, failed: Int, inDoubt: Int) {
        self.day = day
        self.accepted = accepted
        self.failed = failed
        self.inDoubt = inDoubt
    }

    package enum CodingKeys: String, CodingKey {
        case day, accepted, failed
        case inDoubt = "in_doubt"
    }
}

package struct WebhooksSummary: Codable, Sendable, Equatable {
    package var subscriptions: Subscriptions
    package var deliveries: Deliveries
    package var lastDay: LastDay
    /// Newest first; what is kept back from subscribers is not among them.
    package var newestEvents: [EventBrief]

    package init(subscriptions: Subscriptions, deliveries: Deliveries, lastDay: LastDay, newestEvents: [EventBrief]) {
        self.subscriptions = subscriptions
        self.deliveries = deliveries
        self.lastDay = lastDay
        self.newestEvents = newestEvents
    }

    package enum CodingKeys: String, CodingKey {
        case subscriptions, deliveries
        case lastDay = "last_day"
        case newestEvents = "newest_events"
    }

    package struct Subscriptions: Codable, Sendable, Equatable {
        package var active: Int
        package var deleted: Int
        /// Ended because the target answered 410.
        package var gone: Int

        package init(active: Int, deleted: Int, gone: Int) {
            self.active = active
            self.deleted = deleted
            self.gone = gone
        }
    }

    /// What is not through, and what was given up, of all time.
    package struct Deliveries: Codable, Sendable, Equatable {
        package var pending: Int
        package var delivering: Int
        package var dead: Int

        package init(pending: Int, delivering: Int, dead: Int) {
            self.pending = pending
            self.delivering = delivering
            self.dead = dead
        }
    }

    /// Events that were made in the last 24 hours, and their deliveries.
    package struct LastDay: Codable, Sendable, Equatable {
        package var events: Int
        package var quarantined: Int
        package var succeeded: Int
        package var dead: Int
        package var open: Int
        /// Of the deliveries that are settled, 0 to 1; absent where none is.
        package var successRate: Double?

        package init(events: Int, quarantined: Int, succeeded: Int, dead: Int, open: Int) {
            self.events = events
            self.quarantined = quarantined
            self.succeeded = succeeded
            self.dead = dead
            self.open = open
            let settled = succeeded + dead
            self.successRate = settled == 0 ? nil : (Double(succeeded) / Double(settled) * 10_000).rounded() / 10_000
        }

        package enum CodingKeys: String, CodingKey {
            case events, quarantined, succeeded, dead, open
            case successRate = "success_rate"
        }
    }
}

/// An event without its data.
package struct EventBrief: Codable, Sendable, Equatable {
    package var id: String
    package var type: String
    package var timestamp: Date
    /// `integration:5`, `campaign:12` or `key:7`, as audit entries name it.
    package var target: String?
    /// Of the target.
    package var name: String?

    package init(id: String, type: String, timestamp: Date, data: JSONValue) {
        self.id = id
        self.type = type
        self.timestamp = timestamp
        for owner in ["integration", "campaign"] {
            if let number = data["\(owner)_id"]?.integerValue { self.target = "\(owner):\(number)" }
        }
        if let number = data["api_key_id"]?.integerValue { self.target = "key:\(number)" }
        self.name = data["name"]?.stringValue
    }
}
