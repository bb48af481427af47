import Models

/// A path of a filter, and what the catalogue lets one expect there.
struct FilterPlace {
    let path: EventPath
    let finding: EventOutline.Finding

    /// A kind of value that operands can have.
    enum Kind: String {
        case text = "a string"
        case number = "a number"
        case flag = "true or false"

        /// nil for null, arrays and objects.
        init?(_ value: JSONValue) {
            switch value {
            case .string: self = .text
            case .integer, .double: self = .number
            case .bool: self = .flag
            case .null, .array, .object: return nil
            }
        }
    }

    /// True where it is a time in one type at least.
    var isTime: Bool {
        self.shapes?.contains { if case .dateTime = $0 { true } else { false } } ?? false
    }

    /// nil where the catalogue does not say.
    private var shapes: [EventShape]? {
        guard case .shapes(let shapes) = self.finding else { return nil }
        return shapes
    }

    func takes(_ kind: Kind) -> Bool { self.shapes?.contains { $0.holds(kind) } ?? true }

    /// `data.value is a number`, where the catalogue says so.
    var wording: String {
        var wordings: [String] = []
        for shape in self.shapes ?? [] where !wordings.contains(shape.wording) { wordings.append(shape.wording) }
        return "\(self.path.text) is \(wordings.joined(separator: " or "))"
    }

    /// Why the operand can never be met, for people; nil where it can.
    func refusal(of operand: JSONValue) -> String? {
        guard let shapes, let kind = Kind(operand) else { return nil }
        guard self.takes(kind) else { return "\(self.wording), never \(kind.rawValue)" }
        guard let text = operand.stringValue else { return nil }
        let texts = shapes.filter { $0.holds(.text) }
        if texts.allSatisfy({ if case .dateTime = $0 { true } else { false } }), Timestamp.parse(text) == nil {
            return "must be a time like 2026-11-22T08:30:00Z"
        }
        return nil
    }

    /// Why the field never has this word, for people; nil where it may.
    func refusal(ofWord operand: JSONValue) -> String? {
        guard let shapes, let word = operand.stringValue else { return nil }
        var known: [String] = []
        for shape in shapes where shape.holds(.text) {
            guard case .choice(let words) = shape else { return nil }
            known += words
        }
        guard !known.isEmpty, !known.contains(word) else { return nil }
        return "\(self.path.text) is never this\(Suggestion.text(for: word, among: known))"
    }
}

extension EventShape {
    fileprivate func holds(_ kind: FilterPlace.Kind) -> Bool {
        switch (self, kind) {
        case (.string, .text), (.dateTime, .text), (.email, .text), (.uri, .text), (.choice, .text), (.identifier, .text): true
        case (.identifier, .number), (.integer, .number), (.number, .number): true
        case (.boolean, .flag): true
        default: false
        }
    }
}
