import Models

/// A configuration on its way in: plain fields and secrets apart.
struct ConfigDraft: Sendable, Equatable {
    var plain: [String: JSONValue] = [:]
    /// Given now.
    var secrets: [String: Secret] = [:]
    /// Stored before and kept.
    var keptSecrets: Set<String> = []
    /// Stored before and given up.
    var removedSecrets: Set<String> = []

    func has(_ name: String) -> Bool {
        self.plain[name] != nil || self.secrets[name] != nil || self.keptSecrets.contains(name)
    }
}

/// What is stored already, when a configuration is changed.
struct StoredConfig: Sendable {
    var plain: [String: JSONValue] = [:]
    var secrets: Set<String> = []
}

/// Checks a configuration against its provider's fields, naming every fault.
enum ConfigRules {
    /// - root: JSON pointer of the object, `/config`.
    static func check(
        _ input: [String: JSONValue],
        _ definition: ProviderDefinition,
        stored: StoredConfig = StoredConfig(),
        at root: String
    ) -> (draft: ConfigDraft, faults: [Problem.Fault]) {
        var draft = ConfigDraft(plain: stored.plain, keptSecrets: stored.secrets)
        var faults: [Problem.Fault] = []
        func fault(_ name: String, _ detail: String) { faults.append(.init(pointer: "\(root)/\(escape(name))", detail: detail)) }

        for name in Set(input.keys).subtracting(definition.fields.map(\.name)).sorted() {
            fault(name, "is not a field of \(definition.name)")
        }
        for field in definition.fields {
            guard let value = input[field.name] else { continue }
            if value == .null { draft.remove(field) } else if let reason = draft.take(value, for: field) { fault(field.name, reason) }
        }
        for field in definition.fields where field.isRequired && !draft.has(field.name) && !faults.names(field.name, root) {
            fault(field.name, "is required")
        }
        for name in strandedSecrets(draft, definition, stored) {
            fault(name, "must be given again, because where it is sent to changes")
        }
        if faults.isEmpty { faults = definition.rule(draft).map { .init(pointer: root + $0.pointer, detail: $0.detail) } }
        return (draft, faults)
    }

    private static func strandedSecrets(_ draft: ConfigDraft, _ definition: ProviderDefinition, _ stored: StoredConfig) -> [String] {
        let moved = definition.fields.contains {
            $0.isDestination && stored.plain[$0.name] != nil && stored.plain[$0.name] != draft.plain[$0.name]
        }
        return moved ? draft.keptSecrets.sorted() : []
    }

    private static func escape(_ name: String) -> String {
        String(name.prefix(100).flatMap { $0 == "~" ? "~0" : $0 == "/" ? "~1" : String($0) })
    }
}

extension [Problem.Fault] {
    fileprivate func names(_ field: String, _ root: String) -> Bool { self.contains { $0.pointer == "\(root)/\(field)" } }
}

extension ConfigDraft {
    fileprivate mutating func remove(_ field: ConfigField) {
        self.plain[field.name] = nil
        if self.keptSecrets.remove(field.name) != nil { self.removedSecrets.insert(field.name) }
    }

    /// - Returns: why the value does not fit, nil when it was taken.
    fileprivate mutating func take(_ value: JSONValue, for field: ConfigField) -> String? {
        if let reason = field.refusal(of: value) { return reason }
        if field.isSecret, let text = value.stringValue {
            self.secrets[field.name] = Secret(text)
            self.keptSecrets.remove(field.name)
        } else {
            self.plain[field.name] = value
        }
        return nil
    }
}

extension ConfigField {
    private static let longest = 4096

    fileprivate func refusal(of value: JSONValue) -> String? {
        switch self.kind {
        case .integer:
            guard let number = value.integerValue else { return "must be a whole number" }
            guard number >= self.minimum ?? .min, number <= self.maximum ?? .max else {
                return "must lie between \(self.minimum ?? .min) and \(self.maximum ?? .max)"
            }
            return nil
        case .choice:
            guard let text = value.stringValue, self.choices?.contains(text) == true else {
                return "must be one of \((self.choices ?? []).joined(separator: ", "))"
            }
            return nil
        case .text: return self.refusal(ofText: value)
        }
    }

    private func refusal(ofText value: JSONValue) -> String? {
        guard let text = value.stringValue else { return "must be a string" }
        guard !text.isEmpty else { return "must not be empty" }
        guard text.utf8.count <= Self.longest else { return "is longer than \(Self.longest) bytes" }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else { return "holds a control character" }
        guard let pattern = self.pattern else { return nil }
        guard let expression = try? Regex(pattern), (try? expression.wholeMatch(in: text)) != nil else {
            return self.hint.map { "must be \($0)" } ?? "does not look right"
        }
        return nil
    }
}
