import Models

enum PayloadTemplateError: Error, Equatable {
    /// The output passes ``PayloadTemplate/largestOutput``.
    case tooLarge
}

/// What a subscription wants to be sent instead of the event: a JSON object with `{{path}}` anywhere inside its strings. A string that is
/// one placeholder and nothing else becomes the value with its JSON type; inside a longer one the value is written as text.
struct PayloadTemplate: Sendable {
    // Limits of our own: a template is rendered for each delivery.
    /// Bytes of JSON.
    static let longest = 16 * 1024
    /// Objects and arrays in one another.
    static let deepest = 10
    static let mostPlaceholders = 100
    /// Bytes.
    static let largestOutput = 256 * 1024

    /// The object as it was given.
    let json: JSONValue
    private let segments: [TemplateSegment]

    /// A template from an object, or from a string that holds the JSON of one; or every fault in it. A path is taken if at least one of the
    /// types has it.
    static func parse(
        _ value: JSONValue,
        for types: [EventType],
        at pointer: String = "/payload_template"
    ) -> (template: PayloadTemplate?, faults: [Problem.Fault]) {
        self.parse(value, within: EventOutline(types), at: pointer)
    }

    static func parse(
        _ value: JSONValue,
        within outline: EventOutline,
        at pointer: String = "/payload_template"
    ) -> (template: PayloadTemplate?, faults: [Problem.Fault]) {
        let object: JSONValue
        do throws(Unreadable) {
            object = try self.object(value)
        } catch {
            return (nil, [Problem.Fault(pointer: pointer, detail: error.detail)])
        }
        var compiler = PayloadTemplateCompiler(outline: outline)
        compiler.document(object, at: pointer)
        guard compiler.faults.isEmpty else { return (nil, compiler.faults) }
        return (PayloadTemplate(json: object, segments: compiler.segments), [])
    }

    /// A template that was taken once. What the catalogue has lost since is no fault: a release must not end a subscription.
    init?(stored value: JSONValue) {
        var compiler = PayloadTemplateCompiler(outline: nil)
        compiler.document(value, at: "")
        guard value.objectValue != nil, compiler.faults.isEmpty else { return nil }
        self.init(json: value, segments: compiler.segments)
    }

    private init(json: JSONValue, segments: [TemplateSegment]) {
        self.json = json
        self.segments = segments
    }

    /// JSON text of an object with its members sorted by name.
    func render(_ event: EventView) throws(PayloadTemplateError) -> [UInt8] {
        var bytes: [UInt8] = []
        for segment in self.segments {
            segment.write(event, into: &bytes)
            guard bytes.count <= Self.largestOutput else { throw .tooLarge }
        }
        return bytes
    }

    // MARK: - Reading

    private struct Unreadable: Error {
        var detail: String
    }

    private static func object(_ value: JSONValue) throws(Unreadable) -> JSONValue {
        let tooLong = Unreadable(detail: "must have at most \(self.longest) bytes of JSON")
        var object = value
        if let text = value.stringValue {
            guard text.utf8.count <= self.longest else { throw tooLong }
            do throws(JSONText.Failure) {
                object = try JSONValue(parsing: text.utf8)
            } catch {
                throw Unreadable(detail: "is a string that holds no JSON: \(error)")
            }
        }
        guard object.objectValue != nil else { throw Unreadable(detail: "must be an object, or a string that holds the JSON of one") }
        guard object.serialized().count <= self.longest else { throw tooLong }
        return object
    }
}
