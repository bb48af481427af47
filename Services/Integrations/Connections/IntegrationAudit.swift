import Models

/// What an update did to an integration, as its audit entry tells it. Secrets are told by the names of their fields alone.
struct IntegrationAudit: Sendable {
    private let name: String
    private let change: AuditedChange
    /// `added`, `changed` or `removed` by field. One that is given anew counts as changed: stored secrets are not opened to be compared.
    private let credentials: [String: JSONValue]

    /// - draft: the configuration that came with the update, if one did.
    init(from before: Integration, to after: Integration, _ draft: ConfigDraft?) {
        var (old, new) = (before.audited, after.audited)
        let config = AuditedChange(from: before.config, to: after.config)
        if !config.isEmpty { (old["config"], new["config"]) = (.object(config.before), .object(config.after)) }
        self.name = after.name
        self.change = AuditedChange(from: old, to: new)
        var credentials: [String: JSONValue] = [:]
        for field in draft?.secrets.keys ?? [:].keys { credentials[field] = before.secretsSet.contains(field) ? "changed" : "added" }
        for field in draft?.removedSecrets ?? [] { credentials[field] = "removed" }
        self.credentials = credentials
    }

    /// `{"name","before","after"}` and, where secrets changed, `credentials`; nil where nothing did.
    var details: JSONValue? {
        if self.change.isEmpty, self.credentials.isEmpty { return nil }
        var members = self.change.members(named: self.name)
        if !self.credentials.isEmpty { members["credentials"] = .object(self.credentials) }
        return .object(members)
    }
}

extension Integration {
    fileprivate var audited: [String: JSONValue] {
        [
            "name": .string(self.name), "status": .string(self.status.rawValue),
            "sync_interval": self.syncInterval.map { .integer(Int64($0)) } ?? .null,
        ]
    }
}
