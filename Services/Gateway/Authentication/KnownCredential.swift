import Models
import ServiceKit

/// Whom a token or key stands for, as the database told.
struct KnownCredential: Sendable, Equatable {
    var principal: Principal
    /// What each of its requests is counted against.
    var limits: [Limit]
    /// What must be taken back for this to be forgotten: the credential's own tags and those of the keys above it.
    var tags: [CredentialTag]
    /// Lists of networks, of the key and of the keys above it: a request must come from within each. None: from anywhere.
    var allowed: [[AddressRange]] = []

    /// - Throws: 403 for a request from an address that the key, or one above it, is not allowed to be used from.
    func admits(address: String?) throws(Problem) {
        guard !self.allowed.isEmpty else { return }
        guard let address, self.allowed.allSatisfy({ list in list.contains { $0.contains(address) } }) else { throw Self.wrongAddress }
    }

    /// The session that a member's token belongs to.
    var session: SessionKey? {
        for case .session(let organization, let id) in self.tags { return SessionKey(organization: organization, session: id) }
        return nil
    }

    private static let wrongAddress = Problem(.forbidden, "This API key may not be used from this address.")
}

/// What a revocation names.
enum CredentialTag: Hashable, Sendable {
    case session(OrganizationID, SessionID)
    case key(OrganizationID, APIKeyID)
    /// All sessions and keys of a member in one organization.
    case member(OrganizationID, UserID)
    /// Everything of an organization, say when its tier changes.
    case organization(OrganizationID)

    /// The payload of the notification, `key:12:7`.
    var text: String {
        switch self {
        case .session(let organization, let id): "session:\(organization):\(id)"
        case .key(let organization, let id): "key:\(organization):\(id)"
        case .member(let organization, let id): "member:\(organization):\(id)"
        case .organization(let id): "organization:\(id)"
        }
    }

    init?(_ text: String) {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard parts.count >= 2, let organization = OrganizationID(parts[1]) else { return nil }
        switch (parts[0], parts.count == 3 ? Int64(parts[2]) : nil) {
        case ("session", let id?): self = .session(organization, SessionID(id))
        case ("key", let id?): self = .key(organization, APIKeyID(id))
        case ("member", let id?): self = .member(organization, UserID(id))
        case ("organization", nil) where parts.count == 2: self = .organization(organization)
        default: return nil
        }
    }
}
