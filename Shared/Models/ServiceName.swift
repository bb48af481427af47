/// The four processes. The raw value is the name in configuration, logs, identity headers and Postgres schemas.
package enum ServiceName: String, Codable, CaseIterable, Sendable {
    case gateway, integrations, campaigns, webhooks
}
