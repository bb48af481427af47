import Models
import ServiceKit
import Testing

@testable import Gateway

@Suite struct APIDocumentTests {
    private func document() throws -> APIDocument { APIDocument(fragments: try DocumentFragment.all(), publicURL: "https://gateway.test") }

    /// Names every route without a fragment, every operation without a route, every reference into nothing, every body without an example.
    @Test func catalogueAndFragmentsFitTogether() throws {
        let faults = try self.document().faults
        #expect(faults == [])
    }

    /// A text in YAML's flow style ends at a comma; the rest of it would become keywords with no value.
    @Test func noTextWasCutAtAComma() throws {
        func cut(_ value: JSONValue, _ place: String) -> [String] {
            switch value {
            case .object(let members):
                members.flatMap { name, value in
                    value == .null && name.contains(" ") ? ["\(place)/\(name)"] : cut(value, "\(place)/\(name)")
                }
            case .array(let items): items.flatMap { cut($0, place) }
            default: []
            }
        }
        #expect(try cut(self.document().value, "") == [])
    }

    @Test func everyPublicRouteIsOneOperationAndThereAreNoOthers() throws {
        let paths = try #require(try self.document().value["paths"]?.objectValue)
        let documented = paths.flatMap { path, operations in
            (operations.objectValue ?? [:]).keys.map { "\($0.uppercased()) \(path)" }
        }
        let expected = RouteCatalogue.all.filter { route in
            if case .service = route.access { false } else { route.template.hasPrefix("/api/v1/") }
        }
        #expect(documented.sorted() == expected.map(\.name).sorted())
    }

    @Test(arguments: APIDocument.routes) func operationsSayWhatTheCatalogueSays(_ route: Route) throws {
        let operation = try #require(try self.document().value["paths"]?[route.template]?[route.method.rawValue.lowercased()])
        let parameters = operation["parameters"]?.arrayValue ?? []
        let takesKey = parameters.contains { $0["$ref"] == "#/components/parameters/Idempotency-Key" }
        #expect(takesKey == route.idempotent)
        #expect(operation["summary"]?.stringValue == route.summary)
        #expect(operation["x-cost"]?.integerValue == Int64(route.cost))
        let answers = operation["responses"]?.objectValue ?? [:]
        switch route.access {
        case .anyone: #expect(operation["security"] == [])
        case .user(let role):
            #expect(operation["security"] == [["bearer": []]] && operation["x-role"]?.stringValue == role.rawValue)
        case .member(let role, let scope):
            #expect(operation["security"] == [["bearer": []], ["apiKey": []]])
            #expect(operation["x-role"]?.stringValue == role.rawValue && operation["x-scope"]?.stringValue == scope.rawValue)
        case .service: Issue.record("an internal route is documented")
        }
        if route.access != .anyone { #expect(answers["401"] != nil && answers["403"] != nil) }
        if !route.parameterNames.isEmpty { #expect(answers["404"] != nil) }
        #expect(answers.keys.contains { $0.hasPrefix("2") })
    }

    /// Keys, members and addresses alike are counted and may be refused.
    @Test(arguments: APIDocument.routes) func everyOperationTellsOfItsLimits(_ route: Route) throws {
        let document = try self.document().value
        let operation = try #require(document["paths"]?[route.template]?[route.method.rawValue.lowercased()])
        let answers = (operation["responses"]?.objectValue ?? [:]).mapValues { Self.resolved($0, document) }
        for (status, answer) in answers {
            let headers = Set(answer["headers"]?.objectValue?.keys.map { $0 } ?? [])
            #expect(
                headers.isSuperset(of: [
                    "X-Request-Id", "RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset",
                ]),
                "\(status)"
            )
        }
        let refusal = try #require(answers["429"])
        #expect(refusal["headers"]?["Retry-After"] != nil)
        #expect(refusal["content"]?[Problem.mediaType]?["examples"]?["quota-exceeded"] != nil)
    }

    private static func resolved(_ answer: JSONValue, _ document: JSONValue) -> JSONValue {
        guard let name = answer["$ref"]?.stringValue?.split(separator: "/").last else { return answer }
        return document["components"]?["responses"]?[String(name)] ?? .null
    }

    @Test func faultsAreNamed() throws {
        let fragment = DocumentFragment(
            file: "test.yaml",
            [
                "operations": [
                    "GET /api/v1/nowhere": ["operationId": "nowhere"],
                    "GET /api/v1/auth/me": [
                        "operationId": "getMe", "colour": "red",
                        "answers": ["200": ["description": "Me.", "schema": ["$ref": "#/components/schemas/Missing"]]],
                    ],
                ]
            ]
        )
        let faults = APIDocument(routes: [.me, .login], fragments: [fragment], publicURL: "").faults
        #expect(
            Set(faults) == [
                "GET /api/v1/nowhere: no public route of this name (test.yaml)",
                "POST /api/v1/auth/login: no fragment describes it",
                "GET /api/v1/auth/me: colour is no member of a fragment's operation",
                "GET /api/v1/auth/me: its answer 200 has no example",
                "#/components/schemas/Missing: there is no such component",
            ]
        )
    }

    @Test func theYAMLFormSaysTheSame() throws {
        let document = try self.document()
        #expect(try YAMLText.parse(String(decoding: document.yaml(), as: UTF8.self)) == document.value)
    }

    @Test func wordsThatOtherYAMLTakesForValuesStayText() throws {
        let value: JSONValue = [
            "on": "no", "text": ["2026-11-22", "1e3", "0x1F", "null", "a: b", "~", "", " x ", "two\nlines\n", "\u{7F}é"],
            "numbers": [1, -2.5, true, .null],
        ]
        #expect(try YAMLText.parse(YAMLText.write(value)) == value)
        #expect(
            try YAMLText.parse("a: on\nb: 2026-11-22\nc: 0x1F\nd: '1'\ne: 1\n") == [
                "a": "on", "b": "2026-11-22", "c": "0x1F", "d": "1", "e": 1,
            ]
        )
        #expect(throws: (any Error).self) { try YAMLText.parse("a: 1\na: 2\n") }
    }
}
