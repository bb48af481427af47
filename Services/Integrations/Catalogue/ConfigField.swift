/// One field of a provider's configuration form.
struct ConfigField: Encodable, Sendable {
    enum Kind: String, Encodable, Sendable { case text, integer, choice }

    let name: String
    let label: String
    let kind: Kind
    let isRequired: Bool
    /// Kept sealed in `credentials`, never returned.
    let isSecret: Bool
    /// Names where the secrets go: whoever changes it must give the secrets anew, so that a stored one cannot be lured to another server.
    let isDestination: Bool
    /// Regular expression that the whole text must match.
    let pattern: String?
    /// What a valid value looks like, for people; shown with the fault.
    let hint: String?
    let choices: [String]?
    /// Inclusive, for integers.
    let minimum: Int64?
    let maximum: Int64?

    private init(_ name: String, _ label: String, _ kind: Kind, _ traits: Traits, _ limits: Limits = Limits()) {
        self.name = name
        self.label = label
        self.kind = kind
        self.isRequired = traits.contains(.required)
        self.isSecret = traits.contains(.secret)
        self.isDestination = traits.contains(.destination)
        self.pattern = limits.pattern
        self.hint = limits.hint
        self.choices = limits.choices
        self.minimum = limits.range?.lowerBound
        self.maximum = limits.range?.upperBound
    }

    struct Traits: OptionSet, Sendable {
        let rawValue: Int
        static let required = Traits(rawValue: 1)
        static let secret = Traits(rawValue: 2)
        static let destination = Traits(rawValue: 4)
    }

    private struct Limits {
        var pattern: String?
        var hint: String?
        var choices: [String]?
        var range: ClosedRange<Int64>?
    }

    static func text(_ name: String, _ label: String, _ traits: Traits = [], pattern: String? = nil, hint: String? = nil) -> ConfigField {
        ConfigField(name, label, .text, traits, Limits(pattern: pattern, hint: hint))
    }

    static func integer(_ name: String, _ label: String, _ traits: Traits = [], in range: ClosedRange<Int64>) -> ConfigField {
        ConfigField(name, label, .integer, traits, Limits(range: range))
    }

    static func choice(_ name: String, _ label: String, _ traits: Traits = [], of choices: [String]) -> ConfigField {
        ConfigField(name, label, .choice, traits, Limits(choices: choices))
    }

    enum CodingKeys: String, CodingKey {
        case name, label, pattern, hint, choices, minimum, maximum
        case kind = "type"
        case isRequired = "required"
        case isSecret = "secret"
    }
}
