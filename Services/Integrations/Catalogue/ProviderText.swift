import Models

/// Words of a provider or server on their way to rows, logs and people.
enum ProviderText {
    static let longest = 300

    /// One line without control characters, shortened, with none of the given secrets in it.
    static func clean(_ text: String, hiding secrets: some Sequence<Secret> = []) -> String {
        var text = text
        for secret in secrets where !secret.isEmpty { text = text.replacing(secret.reveal(), with: "***") }
        let line = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F || $0.properties.generalCategory == .control ? " " : $0 }
        let words = String(String.UnicodeScalarView(line)).split(separator: " ").joined(separator: " ")
        return words.count <= Self.longest ? words : words.prefix(Self.longest - 1) + "…"
    }

    /// Postgres stores no NUL, neither in text nor in jsonb: a record that carries one must not stop a sync.
    static func withoutNUL(_ value: JSONValue) -> JSONValue {
        switch value {
        case .string(let text): .string(Self.withoutNUL(text))
        case .array(let items): .array(items.map(Self.withoutNUL))
        case .object(let members):
            .object(Dictionary(members.map { (Self.withoutNUL($0.key), Self.withoutNUL($0.value)) }, uniquingKeysWith: { $1 }))
        case .null, .bool, .integer, .double: value
        }
    }

    private static func withoutNUL(_ text: String) -> String {
        text.utf8.contains(0) ? String(text.unicodeScalars.filter { $0.value != 0 }.map(Character.init)) : text
    }
}
