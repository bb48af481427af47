import Models

/// Collects paths, components and faults of the API document.
struct DocumentBuilder {
    private let fragments: [DocumentFragment]
    private var schemas: [String: JSONValue] = [:]
    private var responses: [String: JSONValue] = [:]
    private(set) var faults: [String] = []

    init(_ fragments: [DocumentFragment]) {
        self.fragments = fragments
        for fragment in fragments {
            for (name, schema) in fragment.schemas {
                if self.schemas.updateValue(schema, forKey: name) != nil { self.faults.append("schema \(name): described twice") }
            }
        }
    }

    mutating func paths(_ routes: [Route]) -> [String: JSONValue] {
        var described: [String: (fragment: DocumentFragment, operation: JSONValue)] = [:]
        for fragment in self.fragments {
            for (name, operation) in fragment.operations {
                if described.updateValue((fragment, operation), forKey: name) != nil { self.faults.append("\(name): described twice") }
            }
        }
        for name in Set(described.keys).subtracting(routes.map(\.name)).sorted() {
            self.faults.append("\(name): no public route of this name (\(described[name]?.fragment.file ?? ""))")
        }
        var paths: [String: [String: JSONValue]] = [:]
        var ids: Set<String> = []
        for route in routes {
            let found = described[route.name]
            if found == nil { self.faults.append("\(route.name): no fragment describes it") }
            let operation = self.operation(route, found?.operation ?? [:], tag: found?.fragment.tag["name"])
            if let id = operation["operationId"]?.stringValue, !ids.insert(id).inserted {
                self.faults.append("\(id): an operationId given twice")
            }
            paths[route.template, default: [:]][route.method.rawValue.lowercased()] = operation
        }
        return paths.mapValues(JSONValue.object)
    }

    func components() -> JSONValue {
        [
            "schemas": .object(self.schemas.merging(DocumentTexts.schemas) { $1 }),
            "responses": .object(self.responses),
            "parameters": DocumentTexts.parameters,
            "headers": DocumentTexts.headers,
            "examples": .object(DocumentTexts.problemExamples),
            "securitySchemes": DocumentTexts.securitySchemes,
        ]
    }

    // MARK: - Operations

    /// What a fragment may say of an operation.
    private static let members: Set<String> = [
        "operationId", "description", "parameters", "body", "page", "cursor", "answers", "problems",
    ]

    private mutating func operation(_ route: Route, _ own: JSONValue, tag: JSONValue?) -> JSONValue {
        for name in own.objectValue?.keys.sorted() ?? [] where !Self.members.contains(name) {
            self.faults.append("\(route.name): \(name) is no member of a fragment's operation")
        }
        if own != [:], own["operationId"]?.stringValue == nil { self.faults.append("\(route.name): has no operationId") }
        var operation: [String: JSONValue] = [
            "operationId": own["operationId"] ?? .string(route.name),
            "summary": .string(route.summary),
            "description": .string(DocumentTexts.description(of: route, own["description"]?.stringValue)),
            "security": DocumentTexts.security(of: route),
            "responses": .object(self.answers(route, own)),
            "x-cost": .integer(Int64(route.cost)),
        ]
        if let tag { operation["tags"] = .array([tag]) }
        if case .member(let role, let scope) = route.access {
            operation["x-role"] = .string(role.rawValue)
            operation["x-scope"] = .string(scope.rawValue)
        } else if case .user(let role) = route.access {
            operation["x-role"] = .string(role.rawValue)
        }
        let parameters = self.parameters(route, own)
        if !parameters.isEmpty { operation["parameters"] = .array(parameters) }
        if let body = own["body"] { operation["requestBody"] = self.body(route, body) }
        return .object(operation)
    }

    private mutating func parameters(_ route: Route, _ own: JSONValue) -> [JSONValue] {
        var parameters = own["parameters"]?.arrayValue ?? []
        let described = Set(parameters.compactMap { $0["name"]?.stringValue })
        for name in route.parameterNames where !described.contains(name) {
            if name == "id" || name.hasSuffix("_id") {
                parameters.insert(DocumentTexts.idParameter(name), at: 0)
            } else {
                self.faults.append("\(route.name): the path parameter \(name) is not described")
            }
        }
        if own["page"] != nil {
            // Of a list in the order of text ids.
            let cursor = own["cursor"] == "text" ? "textCursor" : "cursor"
            parameters += [["$ref": "#/components/parameters/limit"], ["$ref": .string("#/components/parameters/\(cursor)")]]
        }
        if route.idempotent { parameters.append(["$ref": "#/components/parameters/Idempotency-Key"]) }
        return parameters
    }

    private mutating func body(_ route: Route, _ body: JSONValue) -> JSONValue {
        guard let schema = body["schema"] else {
            self.faults.append("\(route.name): its body has no schema")
            return [:]
        }
        let media = self.media(schema, body, "\(route.name): its body")
        return ["required": body["required"] ?? true, "content": ["application/json": media]]
    }

    // MARK: - Answers

    private mutating func answers(_ route: Route, _ own: JSONValue) -> [String: JSONValue] {
        var answers: [String: JSONValue] = [:]
        for (status, answer) in own["answers"]?.objectValue ?? [:] { answers[status] = self.answer(route, status, answer) }
        if let item = own["page"]?.stringValue {
            let answer: JSONValue = [
                "description": "A page of the list, newest first.",
                "schema": ["$ref": .string("#/components/schemas/\(self.page(of: item))")],
            ]
            answers["200"] = self.answer(route, "200", answer)
        }
        if own != [:], answers.isEmpty { self.faults.append("\(route.name): has no answer") }
        return answers.merging(self.problems(route, own)) { own, _ in own }
    }

    private mutating func answer(_ route: Route, _ status: String, _ answer: JSONValue) -> JSONValue {
        var headers = DocumentTexts.answerHeaders
        if status.hasPrefix("2"), route.idempotent { headers["Idempotency-Replayed"] = DocumentTexts.header("Idempotency-Replayed") }
        headers.merge(answer["headers"]?.objectValue ?? [:]) { $1 }
        var written: [String: JSONValue] = ["description": answer["description"] ?? "", "headers": .object(headers)]
        if answer["description"]?.stringValue == nil { self.faults.append("\(route.name): its answer \(status) has no description") }
        if let schema = answer["schema"] {
            let type = answer["type"]?.stringValue ?? "application/json"
            written["content"] = [type: self.media(schema, answer, "\(route.name): its answer \(status)")]
        }
        return .object(written)
    }

    /// The media type of a schema with its example: given here, or the schema's own.
    private mutating func media(_ schema: JSONValue, _ given: JSONValue, _ place: String) -> JSONValue {
        var media: [String: JSONValue] = ["schema": schema]
        if let examples = given["examples"] {
            media["examples"] = examples
        } else if let example = given["example"] ?? self.example(of: schema) {
            media["example"] = example
        } else {
            self.faults.append("\(place) has no example")
        }
        return .object(media)
    }

    private func example(of schema: JSONValue) -> JSONValue? {
        guard let name = schema["$ref"]?.stringValue?.split(separator: "/").last else { return schema["examples"]?.arrayValue?.first }
        return self.schemas[String(name)]?["examples"]?.arrayValue?.first
    }

    /// Names the schema of a page of items, and makes it where it is new.
    private mutating func page(of item: String) -> String {
        let name = "\(item)Page"
        let reference: JSONValue = ["$ref": .string("#/components/schemas/\(item)")]
        var schema = DocumentTexts.page(of: reference)
        if let example = self.example(of: reference) { schema["examples"] = [["data": [example], "next_cursor": .null]] }
        self.schemas[name] = .object(schema)
        return name
    }

    /// The problem answers that follow from what the route is, and those that its fragment adds, by status.
    private mutating func problems(_ route: Route, _ own: JSONValue) -> [String: JSONValue] {
        let reasons = own["problems"]?.objectValue ?? [:]
        for name in reasons.keys.sorted() where Problem.Kind(rawValue: name) == nil {
            self.faults.append("\(route.name): \(name) is no kind of problem")
        }
        let kinds = ProblemAnswers.kinds(of: route, own).union(reasons.keys.compactMap(Problem.Kind.init(rawValue:)))
        var answers: [String: JSONValue] = [:]
        for (status, same) in Dictionary(grouping: kinds, by: \.status) {
            let kinds = same.sorted { $0.rawValue < $1.rawValue }
            if kinds.contains(where: { reasons[$0.rawValue] != nil }) {
                answers[String(status)] = ProblemAnswers.answer(kinds, reasons.compactMapValues(\.stringValue))
            } else {
                let name = ProblemAnswers.name(kinds)
                self.responses[name] = ProblemAnswers.answer(kinds)
                answers[String(status)] = ["$ref": .string("#/components/responses/\(name)")]
            }
        }
        return answers
    }
}
