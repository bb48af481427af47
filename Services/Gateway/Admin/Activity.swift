import Foundation
import Models

/// Something that happened in the organization, as the feed tells it.
struct ActivityItem: Encodable, Sendable, Equatable {
    enum Source: String, Encodable, Sendable { case audit, event }

    struct Actor: Encodable, Sendable, Equatable {
        /// `user:12`, `key:7`, `system` or `operator`.
        var id: String
        /// Of the member or key; nil where there is none any more.
        var name: String?

        private enum CodingKeys: String, CodingKey { case id, name }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(self.id, forKey: .id)
            try container.encode(self.name, forKey: .name)
        }
    }

    /// Of the audit entry or event.
    var id: String
    var time: Date
    var source: Source
    /// `integration.created`, `campaign_sent`
    var kind: String
    var text: String
    /// nil for events: they tell what happened, not who did it.
    var actor: Actor?
    /// `integration:5`
    var target: String?

    private enum CodingKeys: String, CodingKey { case id, time, source, kind, text, actor, target }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.id, forKey: .id)
        try container.encode(self.time, forKey: .time)
        try container.encode(self.source, forKey: .source)
        try container.encode(self.kind, forKey: .kind)
        try container.encode(self.text, forKey: .text)
        try container.encode(self.actor, forKey: .actor)
        try container.encode(self.target, forKey: .target)
    }
}

/// Puts the feed together from the audit log and the event log.
enum Activity {
    static let most = 20

    /// Each of them is also an audit entry, which names the actor: the feed tells it once.
    private static let alsoAudited: Set<String> = [EventType.integrationConnected.rawValue, EventType.integrationFailed.rawValue]

    /// The newest of both, newest first.
    static func merge(_ audited: [ActivityItem], _ events: [EventBrief]) -> [ActivityItem] {
        let told = events.filter { !self.alsoAudited.contains($0.type) }.map(self.item)
        return Array((audited + told).sorted { ($0.time, $0.id) > ($1.time, $1.id) }.prefix(self.most))
    }

    private static func item(_ event: EventBrief) -> ActivityItem {
        ActivityItem(
            id: event.id,
            time: event.timestamp,
            source: .event,
            kind: event.type,
            text: self.text(event.type, name: event.name),
            actor: nil,
            target: event.target
        )
    }

    /// `integration.needs_attention` of “Main CRM” reads `Integration needs attention: Main CRM`.
    static func text(_ kind: String, name: String?) -> String {
        let words = kind.replacing(".", with: " ").replacing("_", with: " ")
        let sentence = words.prefix(1).uppercased() + words.dropFirst()
        guard let name, !name.isEmpty else { return sentence }
        return "\(sentence): \(name)"
    }
}
