import Models

/// Names a value in an event as it is delivered, by dotted names: `data.platform`, `items.0.sku`. The first name is looked for among `id`,
/// `type`, `timestamp` and `data`; any other first name is a member of `data`, so that `platform` means `data.platform`. Elements of
/// arrays are named by their index.
struct EventPath: Sendable {
    /// Bytes and names of a path. Limits of our own: the catalogue's paths have less than 30 bytes, and 3 names at most.
    static let longest = 200
    static let mostNames = 10

    struct Malformed: Error, Equatable {
        /// For people.
        var detail: String
    }

    struct Name: Sendable {
        var text: String
        /// Where the name is a decimal index without leading zeros.
        var index: Int?
    }

    private enum Root: String {
        case id, type, timestamp, data
    }

    private let root: Root
    /// From the event down: the root's is the first.
    let names: [Name]

    /// The path in full, as `data.platform`.
    var text: String { self.names.map(\.text).joined(separator: ".") }

    init(parsing text: String) throws(Malformed) {
        guard text.utf8.count <= Self.longest else { throw Malformed(detail: "a path has at most \(Self.longest) bytes") }
        // Split by bytes: a full stop that a combining mark follows is one Character with it.
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).map { String(Substring($0)) }
        guard parts.count <= Self.mostNames else { throw Malformed(detail: "a path has at most \(Self.mostNames) names") }
        guard let first = parts.first, !parts.contains("") else {
            throw Malformed(detail: "a path is names with full stops between them, as in data.platform; none of them may be empty")
        }
        let root = Root(rawValue: first)
        self.root = root ?? .data
        self.names = ((root == nil ? [Root.data.rawValue] : []) + parts).map { Name(text: $0, index: Self.index($0)) }
    }

    /// Nine digits at most, which no array that fits into memory exceeds.
    private static func index(_ name: String) -> Int? {
        guard name.utf8.count <= 9, name.utf8.allSatisfy({ (0x30...0x39).contains($0) }), name == "0" || !name.hasPrefix("0") else {
            return nil
        }
        return Int(name)
    }

    /// nil where there is none; null is a value.
    func value(in event: EventView) -> JSONValue? {
        var value: JSONValue =
            switch self.root {
            case .id: .string(event.id)
            case .type: .string(event.type)
            case .timestamp: .string(event.timestamp)
            case .data: event.data
            }
        for name in self.names.dropFirst() {
            guard let next = name.member(of: value) else { return nil }
            value = next
        }
        return value
    }
}

extension EventPath.Name {
    fileprivate func member(of value: JSONValue) -> JSONValue? {
        switch value {
        case .object(let members): return members[self.text]
        case .array(let items):
            guard let index, items.indices.contains(index) else { return nil }
            return items[index]
        default: return nil
        }
    }
}
