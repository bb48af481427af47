import Models

/// What a kind of problem means and what to do about it, for the API document and the pages at `/problems`.
struct ProblemGuide: Sendable {
    let kind: Problem.Kind
    let meaning: String
    let remedy: String
    let example: Problem

    init(_ kind: Problem.Kind) {
        self.kind = kind
        (self.meaning, self.remedy, self.example) = Self.texts(kind)
    }

    private static func texts(_ kind: Problem.Kind) -> (String, String, Problem) {
        switch kind {
        case .badRequest, .validation, .payloadTooLarge, .unsupportedMediaType: self.inputTexts(kind)
        case .unauthenticated, .secondFactorRequired, .forbidden, .quotaExceeded, .tooManyAttempts: self.accessTexts(kind)
        case .notFound, .methodNotAllowed, .conflict, .gone, .idempotencyMismatch, .idempotencyRunning: self.resourceTexts(kind)
        case .internal, .badGateway, .unavailable, .timeout: self.serverTexts(kind)
        }
    }

    private static func inputTexts(_ kind: Problem.Kind) -> (String, String, Problem) {
        switch kind {
        case .validation:
            (
                "The request was read, but something in it is not allowed. `errors` names every fault at once: `pointer` is a JSON pointer "
                    + "into the body, or `?name` for a query parameter.",
                "Correct every field that `errors` names. Nothing was changed.",
                .validation([
                    .init(pointer: "/name", detail: "is missing"), .init(pointer: "/colour", detail: "is not a known field"),
                ])
            )
        case .payloadTooLarge:
            (
                "The body is larger than this operation takes.", "Send less at once. JSON bodies may have at most 1 MiB.",
                Problem(kind, "The body is larger than 1048576 bytes.")
            )
        case .unsupportedMediaType:
            (
                "The body is not announced as JSON.", "Send JSON with the header `Content-Type: application/json`.",
                Problem(kind, "Send the body as application/json.")
            )
        default:
            (
                "The request cannot be read: broken JSON, a path or header that can be read in more than one way, or two credentials at once.",
                "`detail` says what cannot be read. The same request will never pass.",
                Problem(kind, "The body is not JSON: a value is expected at byte 12.")
            )
        }
    }

    private static func accessTexts(_ kind: Problem.Kind) -> (String, String, Problem) {
        switch kind {
        case .unauthenticated:
            (
                "There is no credential, or it is unknown, has ended or was revoked; at a sign-in: address or password are wrong; where a mailed token is "
                    + "sent: it is unknown, used or too old.",
                "Send `Authorization: Bearer` with an access token or an API key, or `X-API-Key`. Exchange an ended access token at "
                    + "`POST /api/v1/auth/refresh`.",
                Problem(kind, "The token or API key is not valid.")
            )
        case .forbidden:
            (
                "The caller is known, but their role or the API key's scopes do not allow this, or they belong to no organization any more.",
                "Ask an administrator for the role or an invitation, or use a key with the scope that `detail` names.",
                Problem(kind, "This needs the role admin.")
            )
        case .secondFactorRequired:
            (
                "Email address and password are right, and this account asks for a second factor.",
                "Send the same request with `totp_code` from the authenticator, or with one of the account's recovery codes as `recovery_code`.",
                Problem(kind, "Send totp_code or recovery_code.")
            )
        case .tooManyAttempts:
            (
                "Passwords, codes or mails were asked for too often, from this address or for this account.",
                "Wait as many seconds as `Retry-After` says. Right passwords wait as wrong ones do.",
                Problem(kind, "Too many attempts. Wait before the next one.", retryAfter: 30)
            )
        default:
            (
                "A limit is used up: units of an API key, its organization, a member or an address in a window of time, or the requests that may "
                    + "be under way at once. `violated-policies` names which.",
                "Wait as many seconds as `Retry-After` says. `RateLimit` and `X-RateLimit-Remaining` tell on every answer how much is left.",
                Problem(
                    kind,
                    "Used up: 1000 units in an hour (hour). Come back in 1800 seconds.",
                    retryAfter: 1800,
                    violatedPolicies: ["hour"]
                )
            )
        }
    }

    private static func resourceTexts(_ kind: Problem.Kind) -> (String, String, Problem) {
        switch kind {
        case .methodNotAllowed:
            (
                "This path exists, but not with this method.", "`Allow` lists the methods that it takes.",
                Problem(kind, "This path takes GET, POST.")
            )
        case .conflict:
            (
                "The request is in order, but the resource's present state does not allow it.",
                "Read the resource again and decide anew. `detail` says what stands in the way.",
                Problem(kind, "A campaign that is sent does not allow the action “edit”.")
            )
        case .gone:
            ("It was here and is no longer.", "Ask for a new one where that is possible.", Problem(kind, "This is no longer there."))
        case .idempotencyMismatch:
            (
                "This `Idempotency-Key` was used for a request with another body or path within the last 24 hours.",
                "Use a new key for each new request, and the same key only to repeat the very same one.",
                Problem(kind, "This Idempotency-Key was used for another request.")
            )
        case .idempotencyRunning:
            (
                "The first request with this `Idempotency-Key` has not ended yet.",
                "Repeat it after a second: it then gets the first one's answer.",
                Problem(kind, "The first request with this Idempotency-Key is still running.", retryAfter: 1)
            )
        default:
            (
                "There is nothing here, or it belongs to another organization: both look the same.",
                "Check the id and the organization of the credential.", .notFound
            )
        }
    }

    private static func serverTexts(_ kind: Problem.Kind) -> (String, String, Problem) {
        switch kind {
        case .badGateway:
            (
                "A service behind the gateway broke off or answered what cannot be understood.",
                "Try again. A request that creates or sends is repeated safely under its `Idempotency-Key`.",
                Problem(kind, "A service behind this one answered wrongly.")
            )
        case .unavailable:
            (
                "The database or a service behind the gateway cannot be reached just now.", "Try again after `Retry-After` seconds.",
                Problem(kind, "A service behind this one is not reachable.", retryAfter: 1)
            )
        case .timeout:
            (
                "A service behind the gateway took too long. Whether the request was carried out is not known.",
                "Read what it was to change, or repeat it under the same `Idempotency-Key`.",
                Problem(kind, "A service behind this one took too long.")
            )
        default:
            (
                "A fault on our side. It is logged under the `request_id`.", "Try again; if it stays, report the `request_id`.",
                Problem(kind, "The request could not be served; the fault is logged under its request id.")
            )
        }
    }
}
