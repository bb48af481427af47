import Database
import HTTPTypes
import Models

/// What an organization has booked; the operator sets it.
enum Tier: String, Codable, CaseIterable, Sendable, SQLEncodable, SQLDecodable {
    case `default`, premium
}

/// `API_RATE_LIMIT_DEFAULT` and `API_RATE_LIMIT_PREMIUM`.
struct TierLimits: Sendable {
    var standard: Int64
    var premium: Int64

    /// A key's own limit can only lower its tier's.
    func limit(of tier: Tier, loweredBy own: Int64?) -> Int64 {
        let limit = tier == .premium ? self.premium : self.standard
        return min(limit, own ?? limit)
    }
}

/// A named limit of units in a window.
struct Quota: Sendable, Equatable {
    /// Name in headers and in the problem's `violated-policies`.
    var policy = "default"
    var limit: Int64

    /// Windows are hours by Postgres's clock, from its full hour in UTC.
    static let windowSeconds = 3600
}

/// How a quota stands after a request has asked for units.
struct Standing: Sendable, Equatable {
    var isAdmitted: Bool
    var remaining: Int64
    /// Seconds until the window ends, at least 1.
    var resetAfter: Int64
    /// Unix seconds at which the window ends.
    var resetAt: Int64

    func problem(_ quota: Quota) -> Problem {
        Problem(
            .quotaExceeded,
            "This API key has used its \(quota.limit) units of this hour.",
            retryAfter: Int(self.resetAfter),
            violatedPolicies: [quota.policy]
        )
    }
}

/// Writes both families of rate-limit headers: the fields of draft-ietf-httpapi-ratelimit-headers-10 and the common `X-RateLimit-…`,
/// whose `Reset` is in Unix seconds.
enum RateLimitHeaders {
    static func fields(_ quota: Quota, _ standing: Standing) -> [(HTTPField.Name, String)] {
        [
            (.rateLimitPolicy, "\"\(quota.policy)\";q=\(quota.limit);w=\(Quota.windowSeconds)"),
            (.rateLimit, "\"\(quota.policy)\";r=\(standing.remaining);t=\(standing.resetAfter)"),
            (.xRateLimitLimit, "\(quota.limit)"),
            (.xRateLimitRemaining, "\(standing.remaining)"),
            (.xRateLimitReset, "\(standing.resetAt)"),
        ]
    }
}
