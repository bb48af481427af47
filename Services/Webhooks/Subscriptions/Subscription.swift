import Database
import Foundation
import Models

/// A subscription as people see it: without its secret, and with no more of its target than the host.
struct Subscription: Sendable, Equatable {
    static let columns: StaticString = "id, event_types, description, display_url, created_at"

    var id: SubscriptionID
    var eventTypes: [String]
    var description: String?
    var displayURL: String
    var createdAt: Date
}

extension Subscription: RowDecodable {
    init(row: Row) throws {
        self.id = try row.get("id")
        self.eventTypes = try row.get("event_types")
        self.description = try row.get("description")
        self.displayURL = try row.get("display_url")
        self.createdAt = try row.get("created_at")
    }
}

/// A checked request to subscribe.
struct NewSubscription: Sendable {
    var targetURL: Secret
    var eventTypes: [EventType]
    var description: String?
}

extension NewSubscription {
    /// `https://hooks.example.com/***`. The rest of the URL is the target's credential.
    static func displayURL(of url: String) -> String {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme, let host = parts.encodedHost else { return "***" }
        return "\(scheme)://\(host)\(parts.port.map { ":\($0)" } ?? "")/***"
    }
}
