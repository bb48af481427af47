/// An error answer: RFC 9457 `application/problem+json`. Throw it anywhere below a route; ServiceKit turns it into the response.
/// `type` is the path `/problems/<kind>`: a stable name for programs to compare, and the gateway's page about the kind.
package struct Problem: Error, Sendable, Equatable {
    package var kind: Kind
    package var detail: String
    package var errors: [Fault]
    /// Seconds for the `Retry-After` header.
    package var retryAfter: Int?
    /// Names of the rate-limit policies that refused (draft-ietf-httpapi-ratelimit-headers).
    package var violatedPolicies: [String]

    /// One fault of the input, at a JSON pointer (RFC 6901) into the body, or `?name` for a query parameter.
    package struct Fault: Codable, Sendable, Equatable {
        package var pointer: String
        package var detail: String

        package init(pointer: String, detail: String) {
            self.pointer = pointer
            self.detail = detail
        }
    }

    /// A problem type with its fixed title and status.
    package enum Kind: String, Sendable, CaseIterable {
        case badRequest = "bad-request"
        case validation = "validation"
        case unauthenticated = "unauthenticated"
        /// The password was right; a code of the second factor is missing, wrong or used up.
        case secondFactorRequired = "second-factor-required"
        case forbidden = "forbidden"
        case notFound = "not-found"
        case methodNotAllowed = "method-not-allowed"
        case conflict = "conflict"
        case gone = "gone"
        case payloadTooLarge = "payload-too-large"
        case unsupportedMediaType = "unsupported-media-type"
        case idempotencyMismatch = "idempotency-key-reused"
        case idempotencyRunning = "idempotency-key-in-use"
        case quotaExceeded = "quota-exceeded"
        /// Guessing is slowed down: passwords, codes, mails on request.
        case tooManyAttempts = "too-many-attempts"
        case `internal` = "internal"
        case badGateway = "bad-gateway"
        case unavailable = "unavailable"
        case timeout = "timeout"

        package var status: Int {
            switch self {
            case .badRequest: 400
            case .validation, .idempotencyMismatch: 422
            case .unauthenticated, .secondFactorRequired: 401
            case .forbidden: 403
            case .notFound: 404
            case .methodNotAllowed: 405
            case .conflict, .idempotencyRunning: 409
            case .gone: 410
            case .payloadTooLarge: 413
            case .unsupportedMediaType: 415
            case .quotaExceeded, .tooManyAttempts: 429
            case .internal: 500
            case .badGateway: 502
            case .unavailable: 503
            case .timeout: 504
            }
        }

        package var title: String {
            switch self {
            case .badRequest: "The request cannot be read"
            case .validation: "The request has faults"
            case .unauthenticated: "Sign in first"
            case .secondFactorRequired: "A second factor is needed"
            case .forbidden: "Not allowed"
            case .notFound: "Not found"
            case .methodNotAllowed: "Method not allowed"
            case .conflict: "In conflict with what is there"
            case .gone: "No longer there"
            case .payloadTooLarge: "The request is too large"
            case .unsupportedMediaType: "Unsupported media type"
            case .idempotencyMismatch: "Idempotency key used for another request"
            case .idempotencyRunning: "The first request with this key is still running"
            case .quotaExceeded: "Quota exceeded"
            case .tooManyAttempts: "Too many attempts"
            case .internal: "Something went wrong on our side"
            case .badGateway: "An upstream answered wrongly"
            case .unavailable: "Temporarily unavailable"
            case .timeout: "An upstream took too long"
            }
        }
    }

    package init(
        _ kind: Kind,
        _ detail: String,
        errors: [Fault] = [],
        retryAfter: Int? = nil,
        violatedPolicies: [String] = []
    ) {
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.retryAfter = retryAfter
        self.violatedPolicies = violatedPolicies
    }

    /// The answer for a resource that does not exist or belongs to another organization: the same text for both.
    package static let notFound = Problem(.notFound, "There is no such resource.")

    package static func validation(_ errors: [Fault]) -> Problem {
        Problem(.validation, errors.count == 1 ? "One field has a fault." : "\(errors.count) fields have faults.", errors: errors)
    }
}
