import Models

/// Subscriptions of one organization, arranged so that an event is held against few of them: by their types, and those whose filter asks for one
/// value of a path by that value. Filters decide; this only leaves out what they would refuse.
struct Audience: Sendable {
    typealias Member = (key: EndpointKey, wish: Subscribers.Wish)

    private struct Group {
        /// Places of the members without such a filter.
        var others: [Int] = []
        var byValue: [String: (path: EventPath, members: [FilterValue: [Int]])] = [:]
    }

    private let members: [Member]
    private let groups: [String: Group]

    init(_ members: [Member]) {
        self.members = members
        self.groups = members.indices.reduce(into: [:]) { groups, place in
            let wish = members[place].wish
            for type in wish.types {
                if let (path, value) = wish.filter?.requiredValue {
                    groups[type, default: Group()].byValue[path.text, default: (path, [:])].members[value, default: []].append(place)
                } else {
                    groups[type, default: Group()].others.append(place)
                }
            }
        }
    }

    /// In the members' order.
    func candidates(for event: EventView) -> [Member] {
        guard let group = self.groups[event.type] else { return [] }
        var places = group.others
        for (path, members) in group.byValue.values {
            if let value = path.value(in: event).flatMap(FilterValue.init), let found = members[value] { places += found }
        }
        return (group.byValue.isEmpty ? places : places.sorted()).map { self.members[$0] }
    }
}

/// A value by which filters are found: two that a filter takes for equal are equal here.
enum FilterValue: Hashable, Sendable {
    case bool(Bool)
    /// Integers, too: neighbours that are one number as a Double are told apart by the filter.
    case number(Double)
    case string(String)

    /// nil for what is not looked up by its value.
    init?(_ value: JSONValue) {
        switch value {
        case .bool(let flag): self = .bool(flag)
        case .integer(let number): self = .number(Double(number))
        case .double(let number): self = .number(number)
        case .string(let text): self = .string(text)
        case .null, .array, .object: return nil
        }
    }
}
