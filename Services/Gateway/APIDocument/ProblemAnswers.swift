import Models
import ServiceKit

/// Problem answers in the API document.
enum ProblemAnswers {
    /// What can befall every request of such a route, whatever it does.
    static func kinds(of route: Route, _ own: JSONValue) -> Set<Problem.Kind> {
        var kinds: Set<Problem.Kind> = [.badRequest, .quotaExceeded, .internal, .unavailable]
        if route.access != .anyone { kinds.formUnion([.unauthenticated, .forbidden]) }
        if !route.parameterNames.isEmpty { kinds.insert(.notFound) }
        if route.idempotent { kinds.formUnion([.idempotencyRunning, .idempotencyMismatch]) }
        if own["body"] != nil { kinds.formUnion([.unsupportedMediaType, .validation]) }
        if own["page"] != nil || own["parameters"]?.arrayValue?.contains(where: { $0["in"] == "query" }) == true {
            kinds.insert(.validation)
        }
        if [.post, .put, .patch].contains(route.method) { kinds.insert(.payloadTooLarge) }
        if route.service != .gateway { kinds.formUnion([.badGateway, .timeout]) }
        return kinds
    }

    /// Name of the shared answer for these kinds of one status: `Conflict`, `ValidationOrIdempotencyKeyReused`.
    static func name(_ kinds: [Problem.Kind]) -> String {
        kinds.map { $0.rawValue.split(separator: "-").map(\.capitalized).joined() }.joined(separator: "Or")
    }

    /// - kinds: of one status.
    /// - reasons: when this operation answers so, by the kind's name, in place of what the kind means everywhere.
    static func answer(_ kinds: [Problem.Kind], _ reasons: [String: String] = [:]) -> JSONValue {
        var headers = DocumentTexts.answerHeaders
        if kinds.contains(where: { $0.status == 401 }) { headers["WWW-Authenticate"] = DocumentTexts.header("WWW-Authenticate") }
        if kinds.contains(where: { ProblemGuide($0).example.retryAfter != nil }) {
            headers["Retry-After"] = DocumentTexts.header("Retry-After")
        }
        let examples = kinds.map { ($0.rawValue, ["$ref": .string("#/components/examples/\($0.rawValue)")] as JSONValue) }
        return [
            "description": .string(kinds.map { reasons[$0.rawValue] ?? ProblemGuide($0).meaning }.joined(separator: " ")),
            "headers": .object(headers),
            "content": [
                Problem.mediaType: [
                    "schema": [
                        "allOf": [
                            ["$ref": "#/components/schemas/Problem"],
                            ["type": "object", "properties": ["type": ["enum": .array(kinds.map(\.typeValue))]]],
                        ]
                    ],
                    "examples": .object(Dictionary(examples, uniquingKeysWith: { $1 })),
                ]
            ],
        ]
    }
}

extension Substring {
    fileprivate var capitalized: String { self.prefix(1).uppercased() + self.dropFirst() }
}

extension Problem.Kind {
    /// What answers carry as `type`.
    var typeValue: JSONValue { ProblemGuide(self).example.json(requestID: "")["type"] ?? .null }
}
