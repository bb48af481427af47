import Models
import ServiceKit

/// Turns a payload template into segments and collects every fault in it.
struct PayloadTemplateCompiler {
    /// nil where the paths are not held against the catalogue.
    let outline: EventOutline?
    private(set) var segments: [TemplateSegment] = []
    private(set) var faults: [Problem.Fault] = []
    private var placeholders = 0
    /// JSON text that the next segment begins with.
    private var pending: [UInt8] = []

    init(outline: EventOutline?) {
        self.outline = outline
    }

    mutating func document(_ value: JSONValue, at pointer: String) {
        self.value(value, at: pointer, depth: 1)
        self.flush()
        if self.placeholders > PayloadTemplate.mostPlaceholders {
            self.fault(pointer, "must have at most \(PayloadTemplate.mostPlaceholders) placeholders")
        }
    }

    private mutating func fault(_ pointer: String, _ detail: String) {
        self.faults.append(Problem.Fault(pointer: pointer, detail: detail))
    }

    private mutating func flush() {
        guard !self.pending.isEmpty else { return }
        self.segments.append(.literal(self.pending))
        self.pending = []
    }

    private mutating func value(_ value: JSONValue, at pointer: String, depth: Int) {
        switch value {
        case .null, .bool, .integer, .double: value.write(into: &self.pending)
        case .string(let text): self.string(text, at: pointer)
        case .array, .object:
            guard depth <= PayloadTemplate.deepest else {
                return self.fault(pointer, "is nested more than \(PayloadTemplate.deepest) deep")
            }
            if let items = value.arrayValue { self.array(items, at: pointer, depth: depth) }
            if let members = value.objectValue { self.object(members, at: pointer, depth: depth) }
        }
    }

    private mutating func array(_ items: [JSONValue], at pointer: String, depth: Int) {
        self.pending.append(UInt8(ascii: "["))
        for (index, item) in items.enumerated() {
            if index > 0 { self.pending.append(UInt8(ascii: ",")) }
            self.value(item, at: "\(pointer)/\(index)", depth: depth + 1)
        }
        self.pending.append(UInt8(ascii: "]"))
    }

    private mutating func object(_ members: [String: JSONValue], at pointer: String, depth: Int) {
        self.pending.append(UInt8(ascii: "{"))
        for (index, member) in members.sorted(by: { $0.key < $1.key }).enumerated() {
            let pointer = "\(pointer)/\(JSONPointer.escape(member.key))"
            if index > 0 { self.pending.append(UInt8(ascii: ",")) }
            if member.key.utf8.contains("{{".utf8) { self.fault(pointer, "keys are literal; {{ stands in values only") }
            self.checkText(member.key, at: pointer)
            JSONText.writeString(member.key, into: &self.pending)
            self.pending.append(UInt8(ascii: ":"))
            self.value(member.value, at: pointer, depth: depth + 1)
        }
        self.pending.append(UInt8(ascii: "}"))
    }

    private mutating func string(_ text: String, at pointer: String) {
        self.checkText(text, at: pointer)
        let parts = TemplateText(text)
        for fault in parts.faults { self.fault(pointer, fault) }
        // A placeholder alone keeps its value's type, and so has no quotes.
        if parts.faults.isEmpty, parts.pieces.count == 1, case .placeholder(let path) = parts.pieces[0] {
            return self.placeholder(path, at: pointer) { .value($0) }
        }
        self.pending.append(UInt8(ascii: "\""))
        for piece in parts.pieces {
            switch piece {
            case .literal(let literal): TemplateSegment.writeEscaped(literal, into: &self.pending)
            case .placeholder(let path): self.placeholder(path, at: pointer) { .text($0) }
            }
        }
        self.pending.append(UInt8(ascii: "\""))
    }

    private mutating func placeholder(_ text: String, at pointer: String, _ segment: (EventPath) -> TemplateSegment) {
        self.placeholders += 1
        // Too many are one fault, whatever is in them.
        guard self.placeholders <= PayloadTemplate.mostPlaceholders else { return }
        do throws(EventPath.Malformed) {
            let path = try EventPath(parsing: text)
            if let refusal = self.outline?.refusal(of: path) { self.fault(pointer, refusal) }
            self.flush()
            self.segments.append(segment(path))
        } catch {
            self.fault(pointer, error.detail)
        }
    }

    /// Neither text nor jsonb of Postgres can keep U+0000, and a template that came as a string may still have it behind its escape.
    private mutating func checkText(_ text: String, at pointer: String) {
        if text.utf8.contains(0) { self.fault(pointer, "must not contain the character U+0000") }
    }
}
