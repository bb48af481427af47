import Models

/// What paths can lead to in events of some types.
struct EventOutline: Sendable {
    enum Finding: Sendable {
        /// No type has it.
        case nothing
        /// It lies below an object whose members the catalogue does not name.
        case anything
        /// One for each type that has it.
        case shapes([EventShape])
    }

    /// Of whole events.
    private let shapes: [EventShape]

    /// Where no types are given (they had faults of their own), nothing is known and every path is let through.
    init(_ types: [EventType]) {
        self.init(shapes: types.map { EventCatalogue.description(of: $0).eventShape })
    }

    init(shapes: [EventShape]) {
        self.shapes = shapes
    }

    func finding(at path: EventPath) -> Finding {
        guard !self.shapes.isEmpty else { return .anything }
        var found: [EventShape] = []
        for shape in self.shapes {
            switch Self.finding(at: path.names[...], in: shape) {
            case .nothing: continue
            case .anything: return .anything
            case .shapes(let shapes): found += shapes
            }
        }
        return found.isEmpty ? .nothing : .shapes(found)
    }

    private static func finding(at names: ArraySlice<EventPath.Name>, in shape: EventShape) -> Finding {
        guard let name = names.first else { return .shapes([shape]) }
        switch shape {
        case .object(let fields):
            if fields.isEmpty { return .anything }
            guard let field = fields.first(where: { $0.name == name.text }) else { return .nothing }
            return self.finding(at: names.dropFirst(), in: field.shape)
        case .array(let items):
            return name.index == nil ? .nothing : self.finding(at: names.dropFirst(), in: items)
        default: return .nothing
        }
    }

    /// Why the path leads nowhere, for people; nil where it is known. A path is known if at least one of the types has it: a subscription
    /// to several types asks of each event what it has.
    func refusal(of path: EventPath) -> String? {
        guard case .nothing = self.finding(at: path) else { return nil }
        return "there is no \(path.text)\(self.suggestion(for: path))"
    }

    private func suggestion(for path: EventPath) -> String {
        let known = self.paths
        if Suggestion.nearest(to: path.text, among: known) == nil, let last = path.names.last,
            // The right name in the wrong place, as in `event.platform`.
            let namesake = known.first(where: { $0.utf8.reversed().starts(with: ".\(last.text)".utf8.reversed()) })
        {
            return Suggestion.meaning(namesake)
        }
        return Suggestion.text(for: path.text, among: known)
    }

    /// Every path that the types have, those of arrays by their first element.
    var paths: [String] {
        var paths: [String] = []
        for path in self.shapes.flatMap({ Self.paths(in: $0, below: nil) }) where !paths.contains(path) { paths.append(path) }
        return paths
    }

    private static func paths(in shape: EventShape, below path: String?) -> [String] {
        func paths(_ name: String, _ shape: EventShape) -> [String] {
            let path = path.map { "\($0).\(name)" } ?? name
            return [path] + self.paths(in: shape, below: path)
        }
        switch shape {
        case .object(let fields): return fields.flatMap { paths($0.name, $0.shape) }
        case .array(let items): return paths("0", items)
        default: return []
        }
    }
}

extension EventTypeDescription {
    /// Of the event as it is delivered.
    fileprivate var eventShape: EventShape {
        .object([
            EventField("id", .string, "The event."),
            EventField("type", .choice([self.type.rawValue]), "Its type."),
            EventField("timestamp", .dateTime, "When it happened."),
            EventField("data", self.shape, "What happened."),
        ])
    }
}
