import Models

/// The OpenAPI 3.1 document, put together from the route catalogue and the fragments, so that neither can say what the other does not.
struct APIDocument: Sendable {
    let value: JSONValue
    /// What does not fit together; a test keeps it empty. A document with faults is still served: a gap in it is no reason to hide the rest.
    let faults: [String]

    /// Pages for people and routes for other processes are not part of the API.
    static let routes = RouteCatalogue.all.filter(\.isDocumented)

    /// The members of the top level in the order in which people read them.
    static let order = ["openapi", "info", "servers", "tags", "paths", "components"]

    /// - publicURL: the gateway's address from outside, empty where it is not known.
    init(routes: [Route] = Self.routes, fragments: [DocumentFragment], publicURL: String) {
        var builder = DocumentBuilder(fragments)
        let paths = builder.paths(routes)
        let tags = fragments.map(\.tag).filter { $0 != .null }
        self.value = [
            "openapi": "3.1.1",
            "info": DocumentTexts.info,
            "servers": DocumentTexts.servers(publicURL),
            "tags": .array(tags),
            "paths": .object(paths),
            "components": builder.components(),
        ]
        self.faults = builder.faults + References.broken(in: self.value)
    }

    func json() -> [UInt8] { self.value.serialized() }
    func yaml() throws -> [UInt8] { Array(try YAMLText.write(self.value, order: Self.order).utf8) }
}

extension Route {
    /// Whether the API document holds this route.
    var isDocumented: Bool {
        if case .service = self.access { return false }
        return self.template.hasPrefix("/api/")
    }

    var parameterNames: [String] {
        self.template.split(separator: "/").filter { $0.hasPrefix("{") }.map { String($0.dropFirst().dropLast()) }
    }
}

/// `$ref`s of a document, all of them into itself.
enum References {
    static func broken(in document: JSONValue) -> [String] {
        self.all(in: document).subtracting(self.known(in: document)).sorted().map { "\($0): there is no such component" }
    }

    private static func known(in document: JSONValue) -> Set<String> {
        var known: Set<String> = []
        for (kind, members) in document["components"]?.objectValue ?? [:] {
            for name in members.objectValue?.keys.sorted() ?? [] { known.insert("#/components/\(kind)/\(name)") }
        }
        return known
    }

    private static func all(in value: JSONValue) -> Set<String> {
        switch value {
        case .object(let members):
            var found = members.values.reduce(into: Set<String>()) { $0.formUnion(self.all(in: $1)) }
            if let reference = members["$ref"]?.stringValue { found.insert(reference) }
            return found
        case .array(let items): return items.reduce(into: []) { $0.formUnion(self.all(in: $1)) }
        case .null, .bool, .integer, .double, .string: return []
        }
    }
}
