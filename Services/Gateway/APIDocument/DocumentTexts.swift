import Models
import ServiceKit

/// The parts of the API document that are the same for every operation.
enum DocumentTexts {
    static let info: JSONValue = [
        "title": "Switchboard API",
        "version": "1",
        "summary": "Integrations, contacts, campaigns and webhooks of a marketing team.",
        "description": """
        **Signing in.** Users get an access token from `POST /api/v1/auth/login`; programs use an API key. Both go in `Authorization: Bearer …`,
        a key also in `X-API-Key`. Each operation names the role and, for keys, the scope that it needs: owner > admin > editor > viewer.

        **Lists** answer `{"data": […], "next_cursor": "…"}`, newest first. Pass `next_cursor` as `?cursor=` until it is null.

        **Errors** are `application/problem+json` (RFC 9457). `type` leads to a page that explains the kind; `errors` names every fault of the
        input at once. What belongs to another organization answers exactly as what does not exist.

        **Repeating.** Operations that take `Idempotency-Key` carry out the first request under a key and answer its repeats the same for 24
        hours.

        **Limits.** Each request takes its operation's `x-cost` from every limit that applies: of the API key and its organization, of the
        signed-in member, or of the address where nobody signed in. `RateLimit-Policy` and `RateLimit` tell of all of them how much is left,
        `X-RateLimit-…` of the first. 429 names in `violated-policies` those that are used up, and in `Retry-After` when to come back.

        **Following a request.** Every answer carries `X-Request-Id`: yours where you sent one of letters, digits and `-_.:+=` (at most 128
        characters), else a new one. W3C `traceparent` is passed through.

        Ids are 64-bit integers, times RFC 3339 in UTC, money integer minor units with an ISO 4217 currency. New members may be added to answers
        at any time; unknown members in requests are refused.
        """,
    ]

    /// - publicURL: empty where it is not known.
    static func servers(_ publicURL: String) -> JSONValue {
        let here: JSONValue = ["url": "/", "description": "Where this document is served"]
        return publicURL.isEmpty ? [here] : [here, ["url": .string(publicURL), "description": "Public address"]]
    }

    static let securitySchemes: JSONValue = [
        "bearer": [
            "type": "http", "scheme": "bearer",
            "description": "An access token of a signed-in user (`sat_…`), or an API key (`swb_live_…`, `swb_test_…`).",
        ],
        "apiKey": ["type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key (`swb_live_…`, `swb_test_…`)."],
    ]

    static func security(of route: Route) -> JSONValue {
        switch route.access {
        case .anyone, .service: []
        case .user: [["bearer": []]]
        case .member: [["bearer": []], ["apiKey": []]]
        }
    }

    static func description(of route: Route, _ own: String?) -> String {
        let access =
            switch route.access {
            case .anyone, .service: "Open to anyone."
            case .user(let role): "For signed-in users of at least the role **\(role.rawValue)**; API keys are refused."
            case .member(let role, let scope):
                "For the role **\(role.rawValue)** and above; API keys need the scope `\(scope.rawValue)`"
                    + (route.cost == 1 ? "." : " and pay \(route.cost) units.")
            }
        return [own, access].compactMap { $0 }.joined(separator: "\n\n")
    }

    // MARK: - Schemas

    static let schemas: [String: JSONValue] = [
        "Problem": [
            "type": "object",
            "description": "An error (RFC 9457).",
            "required": ["type", "title", "status", "detail", "request_id"],
            "properties": [
                "type": [
                    "type": "string", "format": "uri-reference", "enum": .array(Problem.Kind.allCases.map(\.typeValue)),
                    "description": "The kind of problem: a stable name for programs, and the address of a page about it.",
                ],
                "title": ["type": "string", "description": "The kind in words."],
                "status": ["type": "integer", "minimum": 400, "maximum": 599, "description": "The answer's HTTP status."],
                "detail": ["type": "string", "description": "What went wrong this time."],
                "request_id": ["type": "string", "description": "As in `X-Request-Id`: name it when you ask for help."],
                "errors": [
                    "type": "array", "minItems": 1, "maxItems": 100, "items": ["$ref": "#/components/schemas/Fault"],
                    "description": "Faults of the input.",
                ],
                "violated-policies": [
                    "type": "array", "minItems": 1, "items": ["type": "string"],
                    "description": "Names of the limits that refused, as in `RateLimit-Policy`; `concurrency`: requests under way.",
                ],
            ],
        ],
        "Role": ["type": "string", "enum": .array(Role.allCases.map { .string($0.rawValue) })],
        "Scope": ["type": "string", "enum": .array(Scope.allCases.map { .string($0.rawValue) })],
        "EventType": ["type": "string", "enum": .array(EventType.allCases.map { .string($0.rawValue) })],
        "Fault": [
            "type": "object",
            "required": ["pointer", "detail"],
            "properties": [
                "pointer": [
                    "type": "string", "description": "JSON pointer (RFC 6901) into the body, or `?name` for a query parameter.",
                ],
                "detail": ["type": "string"],
            ],
        ],
    ]

    static func page(of item: JSONValue) -> [String: JSONValue] {
        [
            "type": "object",
            "required": ["data", "next_cursor"],
            "properties": [
                "data": ["type": "array", "maxItems": .integer(Int64(PageRequest.limits.upperBound)), "items": item],
                "next_cursor": [
                    "type": ["string", "null"], "description": "The `cursor` of the next page; null on the last one.",
                ],
            ],
        ]
    }

    static let problemExamples: [String: JSONValue] = Dictionary(
        Problem.Kind.allCases.map { kind in
            let example: JSONValue = [
                "summary": .string(kind.title), "value": ProblemGuide(kind).example.json(requestID: "req_019a9f6e2b7c7d3e8f10a2b3c4d5e6f7"),
            ]
            return (kind.rawValue, example)
        },
        uniquingKeysWith: { $1 }
    )

    // MARK: - Parameters

    static let parameters: JSONValue = [
        "limit": [
            "name": "limit", "in": "query", "description": "Items on a page.",
            "schema": [
                "type": "integer", "minimum": .integer(Int64(PageRequest.limits.lowerBound)),
                "maximum": .integer(Int64(PageRequest.limits.upperBound)), "default": .integer(Int64(PageRequest.defaultLimit)),
            ],
        ],
        "cursor": [
            "name": "cursor", "in": "query", "description": "Where the list goes on: `next_cursor` of the page before.",
            "schema": ["type": "string", "pattern": "^[A-Za-z0-9_-]{18}$"],
            "example": .string(Cursor.encode(1042)),
        ],
        "textCursor": [
            "name": "cursor", "in": "query", "description": "Where the list goes on: `next_cursor` of the page before.",
            "schema": ["type": "string", "pattern": "^[A-Za-z0-9_-]{8,348}$"],
            "example": .string(TextCursor.encode("evt_019a9f6e2b7c7d3e8f10a2b3c4d5e6f7")),
        ],
        "Idempotency-Key": [
            "name": "Idempotency-Key", "in": "header",
            "description":
                "A value of your choice that makes a repeat safe: a token or a quoted string of 1 to 255 printable ASCII characters.",
            "schema": [
                "type": "string",
                "pattern": #"^([!#-+\--\[\]-~]{1,255}|"([ !#-\[\]-~]|\\["\\]){1,255}")$"#,
            ],
            "example": "\"5f9c1d0e-3c55-4d0b-9a53-0a6c3c8c4f0e\"",
        ],
    ]

    static func idParameter(_ name: String) -> JSONValue {
        [
            "name": .string(name), "in": "path", "required": true,
            "schema": ["type": "integer", "format": "int64", "minimum": 1, "maximum": .integer(.max)], "example": 12,
        ]
    }

    // MARK: - Headers

    static func header(_ name: String) -> JSONValue { ["$ref": .string("#/components/headers/\(name)")] }

    static let limitHeaders: [String: JSONValue] = Dictionary(
        ["RateLimit-Policy", "RateLimit", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"].map { ($0, Self.header($0)) },
        uniquingKeysWith: { $1 }
    )

    /// Of every answer. Not required: what is refused before anybody is counted, and what the operator counts without refusing, tells no limit.
    static let answerHeaders = Self.limitHeaders.merging(["X-Request-Id": Self.header("X-Request-Id")]) { $1 }

    /// Pattern of a list of policies with these parameters.
    private static func limitList(_ parameters: String) -> String {
        let names = LimitPolicy.allCases.map(\.rawValue).joined(separator: "|")
        let item = "\"(\(names))\";\(parameters)"
        return "^\(item)(, \(item))*$"
    }

    static let headers: JSONValue = [
        "X-Request-Id": [
            "description": "Names this request in logs.", "required": true,
            "schema": ["type": "string", "minLength": 1, "maxLength": 128], "example": "req_019a9f6e2b7c7d3e8f10a2b3c4d5e6f7",
        ],
        "Idempotency-Replayed": [
            "description": "`true` where the answer is that of an earlier request under the same key.",
            "schema": ["type": "string", "enum": ["true"]],
        ],
        "RateLimit-Policy": [
            "description": "The limits that apply: `q` units in `w` seconds (draft-ietf-httpapi-ratelimit-headers-10).",
            "schema": ["type": "string", "pattern": .string(Self.limitList(#"q=\d+;w=\d+"#))],
            "example": "\"hour\";q=1000;w=3600, \"burst\";q=100;w=10, \"organization\";q=10000;w=3600",
        ],
        "RateLimit": [
            "description": "Of each of them `r` units are left for `t` seconds.",
            "schema": ["type": "string", "pattern": .string(Self.limitList(#"r=\d+;t=\d+"#))],
            "example": "\"hour\";r=998;t=1800, \"burst\";r=98;t=4, \"organization\";r=9120;t=1800",
        ],
        "X-RateLimit-Limit": [
            "description": "Units in a window of the first limit.", "schema": ["type": "integer", "minimum": 1], "example": 1000,
        ],
        "X-RateLimit-Remaining": [
            "description": "Units left in it.", "schema": ["type": "integer", "minimum": 0], "example": 998,
        ],
        "X-RateLimit-Reset": [
            "description": "When the window ends, in Unix seconds.", "schema": ["type": "integer", "minimum": 0],
            "example": 1_795_000_000,
        ],
        "Retry-After": [
            "description": "Seconds to wait.", "schema": ["type": "integer", "minimum": 0], "example": 1,
        ],
        "WWW-Authenticate": [
            "description": "How to sign in.", "required": true, "schema": ["type": "string"], "example": "Bearer realm=\"switchboard\"",
        ],
    ]
}
