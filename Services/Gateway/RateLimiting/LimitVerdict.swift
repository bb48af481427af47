import HTTPTypes
import Models

/// How a limit stands after a request has asked for units.
struct Standing: Sendable, Equatable {
    var limit: Limit
    var remaining: Int64
    /// Seconds until the window ends, at least 1.
    var resetAfter: Int64
    /// Unix seconds at which the window ends.
    var resetAt: Int64
}

/// What all limits of a request together say.
struct LimitVerdict: Sendable, Equatable {
    var standings: [Standing]
    /// Policies that refuse; empty where the request is admitted.
    var violated: [LimitPolicy]

    var isAdmitted: Bool { self.violated.isEmpty }

    /// - Throws: 429 that names the violated policies and when the last of them lets requests in again.
    func check() throws(Problem) {
        guard !self.isAdmitted else { return }
        let refusing = self.standings.filter { self.violated.contains($0.limit.policy) }
        let texts = refusing.map { "\($0.limit.units) units in \(Self.span($0.limit.policy.windowSeconds)) (\($0.limit.policy.rawValue))" }
        let wait = refusing.map(\.resetAfter).max() ?? 1
        throw Problem(
            .quotaExceeded,
            "Used up: \(texts.joined(separator: ", ")). Come back in \(wait) \(wait == 1 ? "second" : "seconds").",
            retryAfter: Int(wait),
            violatedPolicies: self.violated.map(\.rawValue)
        )
    }

    private static func span(_ seconds: Int64) -> String {
        switch seconds {
        case 3600: "an hour"
        case 60: "a minute"
        default: "\(seconds) seconds"
        }
    }
}

/// Writes both families of rate-limit headers: the fields of draft-ietf-httpapi-ratelimit-headers-10, with every enforced limit, and the common
/// `X-RateLimit-…` of the limit that stands first, whose `Reset` is in Unix seconds.
enum RateLimitHeaders {
    static func fields(_ standings: [Standing]) -> [(HTTPField.Name, String)] {
        let enforced = standings.filter(\.limit.isEnforced)
        guard let first = enforced.first else { return [] }
        var policies = ""
        var rests = ""
        for standing in enforced {
            let policy = standing.limit.policy
            if !policies.isEmpty {
                policies += ", "
                rests += ", "
            }
            policies += "\"\(policy.rawValue)\";q=\(standing.limit.units);w=\(policy.windowSeconds)"
            rests += "\"\(policy.rawValue)\";r=\(standing.remaining);t=\(standing.resetAfter)"
        }
        return [
            (.rateLimitPolicy, policies),
            (.rateLimit, rests),
            (.xRateLimitLimit, String(first.limit.units)),
            (.xRateLimitRemaining, String(first.remaining)),
            (.xRateLimitReset, String(first.resetAt)),
        ]
    }
}
