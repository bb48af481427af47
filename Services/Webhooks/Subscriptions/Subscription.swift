import Database
import Foundation
import Models

/// A subscription as people see it: without its secrets, and with no more of its target than the host.
struct Subscription: Sendable, Equatable {
    static let columns: StaticString = """
        id, event_types, description, display_url, filter, payload_template, header_names, ordering_key, rate_limit, timeout_seconds,
        retry_waits, signatures, previous_secret_until, created_at, updated_at, paused_at, disabled_at, disabled_reason
        """

    var id: SubscriptionID
    var eventTypes: [String]
    var description: String?
    var displayURL: String
    var options: SubscriptionOptions
    /// Until when the secret before the last rotation signs as well.
    var previousSecretUntil: Date?
    var createdAt: Date
    var updatedAt: Date
    var pausedAt: Date?
    var disabledAt: Date?
    /// `failing`: five days without a success.
    var disabledReason: String?

    var state: State { self.disabledAt != nil ? .disabled : self.pausedAt != nil ? .paused : .active }

    enum State: String, Sendable, CaseIterable {
        case active
        /// By a member: what comes waits for it.
        case paused
        /// By the house: nothing is queued for it.
        case disabled
    }
}

/// What a subscription may ask for besides its events. nil is what everyone gets.
struct SubscriptionOptions: Sendable, Equatable {
    /// As it was given; ``EventFilter`` reads it.
    var filter: JSONValue?
    /// As it was given; ``PayloadTemplate`` reads it.
    var template: JSONValue?
    var headerNames: [String] = []
    var orderingKey: String?
    /// Deliveries a second.
    var rateLimit: Int?
    var timeoutSeconds: Double?
    /// Seconds before each attempt.
    var retryWaits: [Double]?
    var signatures: [SignatureKind] = [.v1]
}

extension Subscription: RowDecodable {
    init(row: Row) throws {
        self.id = try row.get("id")
        self.eventTypes = try row.get("event_types")
        self.description = try row.get("description")
        self.displayURL = try row.get("display_url")
        self.options = SubscriptionOptions(
            filter: try row.get("filter"),
            template: try row.get("payload_template"),
            headerNames: try row.get("header_names"),
            orderingKey: try row.get("ordering_key"),
            rateLimit: try row.get("rate_limit"),
            timeoutSeconds: try row.get("timeout_seconds"),
            retryWaits: try row.get("retry_waits"),
            signatures: (try row.get("signatures") as [String]).compactMap(SignatureKind.init)
        )
        self.previousSecretUntil = try row.get("previous_secret_until")
        self.createdAt = try row.get("created_at")
        self.updatedAt = try row.get("updated_at")
        self.pausedAt = try row.get("paused_at")
        self.disabledAt = try row.get("disabled_at")
        self.disabledReason = try row.get("disabled_reason")
    }
}

/// A checked request to subscribe, or to change a subscription.
struct NewSubscription: Sendable {
    var targetURL: Secret
    var eventTypes: [EventType]
    var description: String?
    var options = SubscriptionOptions()
    /// Names and values; ``SubscriptionOptions/headerNames`` are these names.
    var headers: [CustomHeader] = []
}

extension NewSubscription {
    /// `https://hooks.example.com/***`. The rest of the URL is the target's credential.
    static func displayURL(of url: String) -> String {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme, let host = parts.encodedHost else { return "***" }
        return "\(scheme)://\(host)\(parts.port.map { ":\($0)" } ?? "")/***"
    }
}
