import Models
import ServiceKit

/// `POST /integrations`: `{"provider", "name"?, "config": {…} or "config_data": "{…}", "sync_interval"?}`.
struct NewIntegration: Sendable {
    let definition: ProviderDefinition
    let name: String
    let draft: ConfigDraft
    let syncInterval: Int?

    /// - Throws: one validation ``Problem`` that names every fault.
    init(_ body: JSONValue, providers: Providers, defaultInterval: Int) throws {
        var reader = FieldReader(body)
        let key = reader.string("provider", 1...64)
        let name = reader.optionalLine("name", 1...200)
        let interval = reader.optionalInteger("sync_interval", SyncInterval.range)
        let definition = providers[key]?.definition
        if definition == nil, !key.isEmpty { reader.fault("provider", "is not in the catalogue of providers") }
        let config = ConfigInput(&reader)
        if config == nil { reader.fault("config", "is required: give config (an object) or config_data (a JSON string)") }
        if interval != nil, definition?.has(.syncContacts) == false { reader.fault("sync_interval", "has no meaning: nothing is synced") }

        var faults = try reader.collectedFaults()
        var draft = ConfigDraft()
        if let definition, let config {
            let checked = ConfigRules.check(config.fields, definition, at: config.pointer)
            draft = checked.draft
            faults += checked.faults
        }
        guard faults.isEmpty, let definition else { throw Problem.validation(faults) }
        self.definition = definition
        self.name = name ?? definition.name
        self.draft = draft
        self.syncInterval = definition.has(.syncContacts) ? interval.map(Int.init) ?? defaultInterval : nil
    }
}

/// `PATCH /integrations/{id}`: what is given changes, what is not stays; a null configuration field is removed.
struct IntegrationChange: Sendable {
    var name: String?
    var status: Integration.Status?
    var syncInterval: Int?
    var draft: ConfigDraft?

    init(_ body: JSONValue, to integration: Integration, _ definition: ProviderDefinition) throws {
        var reader = FieldReader(body)
        let name = reader.optionalLine("name", 1...200)
        let interval = reader.optionalInteger("sync_interval", SyncInterval.range)
        let status = reader.optionalString("status", 1...20).map(Integration.Status.init(rawValue:))
        if let status, status != .enabled, status != .paused { reader.fault("status", "must be enabled or paused") }
        if interval != nil, !definition.has(.syncContacts) { reader.fault("sync_interval", "has no meaning: nothing is synced") }
        let config = ConfigInput(&reader)

        var faults = try reader.collectedFaults()
        if let config {
            let stored = StoredConfig(plain: integration.config, secrets: Set(integration.secretsSet))
            let checked = ConfigRules.check(config.fields, definition, stored: stored, at: config.pointer)
            self.draft = checked.draft
            faults += checked.faults
        }
        guard faults.isEmpty else { throw Problem.validation(faults) }
        self.name = name
        self.status = status ?? nil
        self.syncInterval = interval.map(Int.init)
    }
}

enum SyncInterval {
    /// Seconds: a minute to a day.
    static let range: ClosedRange<Int64> = 60...86400
}

/// `config` (an object) or `config_data` (the same as a JSON string), never both.
private struct ConfigInput {
    let fields: [String: JSONValue]
    let pointer: String

    init?(_ reader: inout FieldReader) {
        let isObject = reader.has("config")
        let isText = reader.has("config_data")
        let object = reader.optionalObject("config")
        let text = reader.optionalString("config_data", 1...65536)
        guard !(isObject && isText) else {
            reader.fault("config_data", "must not be given together with config")
            self.init(fields: [:], pointer: "/config")
            return
        }
        if isObject {
            self.init(fields: object ?? [:], pointer: "/config")
        } else if isText {
            let parsed = text.flatMap { try? JSONValue(parsing: $0.utf8) }?.objectValue
            if parsed == nil { reader.fault("config_data", "must be a JSON object in a string") }
            self.init(fields: parsed ?? [:], pointer: "/config_data")
        } else {
            return nil
        }
    }

    private init(fields: [String: JSONValue], pointer: String) {
        self.fields = fields
        self.pointer = pointer
    }
}

extension FieldReader {
    /// Ends the reading and answers its faults, so that faults of nested objects can join them.
    fileprivate mutating func collectedFaults() throws -> [Problem.Fault] {
        do {
            try self.finish()
            return []
        } catch let problem as Problem where problem.kind == .validation {
            return problem.errors
        }
    }
}
