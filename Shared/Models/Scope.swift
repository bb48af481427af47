/// What an API key may touch. Users hold every scope; their role alone limits them.
package enum Scope: String, Codable, CaseIterable, Sendable, Hashable {
    case organizationRead = "organization:read"
    case keysRead = "keys:read"
    case keysWrite = "keys:write"
    case integrationsRead = "integrations:read"
    case integrationsWrite = "integrations:write"
    case contactsRead = "contacts:read"
    case contactsWrite = "contacts:write"
    case campaignsRead = "campaigns:read"
    case campaignsWrite = "campaigns:write"
    case webhooksRead = "webhooks:read"
    case webhooksWrite = "webhooks:write"
    case eventsRead = "events:read"
    case eventsWrite = "events:write"
    case auditRead = "audit:read"

    /// The lowest role that may hold this scope: a key never gets a scope that its maker's role could not use.
    package var leastRole: Role {
        switch self {
        case .organizationRead, .integrationsRead, .contactsRead, .campaignsRead, .webhooksRead, .eventsRead: .viewer
        case .contactsWrite, .campaignsWrite, .eventsWrite: .editor
        case .keysRead, .keysWrite, .integrationsWrite, .webhooksWrite, .auditRead: .admin
        }
    }
}
