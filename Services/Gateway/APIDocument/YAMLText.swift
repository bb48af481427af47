import Models
import Yams

/// YAML by the JSON schema of YAML 1.2: `on`, `yes` and dates are text, as everybody expects who writes an API document.
enum YAMLText {
    /// - Throws: a `YamlError` with line and column; keys given twice are one.
    static func parse(_ text: String) throws -> JSONValue {
        guard let node = try Yams.compose(yaml: text) else { return [:] }
        return self.value(node)
    }

    private static func value(_ node: Node) -> JSONValue {
        switch node {
        case .scalar(let scalar): self.value(scalar)
        case .sequence(let items): .array(items.map(self.value))
        case .mapping(let members):
            .object(Dictionary(members.map { ($0.key.scalar?.string ?? "", self.value($0.value)) }, uniquingKeysWith: { $1 }))
        case .alias: .null
        }
    }

    private static func value(_ scalar: Node.Scalar) -> JSONValue {
        guard scalar.style == .plain else { return .string(scalar.string) }
        switch scalar.string {
        case "true": return true
        case "false": return false
        case "null", "~", "": return .null
        default:
            if let number = try? JSONValue(parsing: scalar.string.utf8), self.isNumber(number) { return number }
            return .string(scalar.string)
        }
    }

    private static func isNumber(_ value: JSONValue) -> Bool {
        switch value {
        case .integer, .double: true
        case .null, .bool, .string, .array, .object: false
        }
    }

    /// Members sorted by name, but for those of the top level that `order` names: they come first.
    static func write(_ value: JSONValue, order: [String] = []) throws -> String {
        try Yams.serialize(node: self.node(value, order), indent: 2, width: -1, allowUnicode: true)
    }

    private static func node(_ value: JSONValue, _ order: [String] = []) -> Node {
        switch value {
        case .string(let text): .scalar(Node.Scalar(text, Tag(.str), self.style(of: text)))
        case .null, .bool, .integer, .double: .scalar(Node.Scalar(value.text, .implicit, .plain))
        case .array(let items):
            .sequence(Node.Sequence(items.map { self.node($0) }, Tag(.seq), items.isEmpty ? .flow : .block))
        case .object(let members): self.node(members, order)
        }
    }

    private static func node(_ members: [String: JSONValue], _ order: [String]) -> Node {
        let names = order.filter { members[$0] != nil } + members.keys.sorted().filter { !order.contains($0) }
        let pairs = names.compactMap { name in members[name].map { (self.node(.string(name)), self.node($0)) } }
        return .mapping(Node.Mapping(pairs, Tag(.map), members.isEmpty ? .flow : .block))
    }

    /// Plain only what no version of YAML takes for anything but text.
    private static func style(of text: String) -> Node.Scalar.Style {
        if text.utf8.contains(UInt8(ascii: "\n")) { return .literal }
        let words: Set<String> = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"]
        let isPlain =
            text.unicodeScalars.first?.properties.isAlphabetic ?? false
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "/")
                }
            }
        return isPlain && !words.contains(text.lowercased()) ? .plain : .doubleQuoted
    }
}
