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
            violatedPolicies: LimitPolicy.allCases.filter(self.violated.contains).map(\.rawValue)
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
    /// Of limits under one policy, those of a key and of the keys above it, the one that leaves least.
    private static func tightest(_ standings: [Standing]) -> [Standing] {
        var kept: [Standing] = []
        for standing in standings where standing.limit.isEnforced {
            if let place = kept.firstIndex(where: { $0.limit.policy == standing.limit.policy }) {
                if standing.remaining < kept[place].remaining { kept[place] = standing }
            } else {
                kept.append(standing)
            }
        }
        return kept
    }

    static func fields(_ standings: [Standing]) -> [(HTTPField.Name, String)] {
        let enforced = self.tightest(standings)
        guard let first = enforced.first else { return [] }
        var policies: [UInt8] = []
        var rests: [UInt8] = []
        policies.reserveCapacity(160)
        rests.reserveCapacity(160)
        for standing in enforced {
            let policy = standing.limit.policy
            Self.write(policy, ";q=", standing.limit.units, ";w=", policy.windowSeconds, to: &policies)
            Self.write(policy, ";r=", standing.remaining, ";t=", standing.resetAfter, to: &rests)
        }
        return [
            (.rateLimitPolicy, String(decoding: policies, as: UTF8.self)),
            (.rateLimit, String(decoding: rests, as: UTF8.self)),
            (.xRateLimitLimit, String(first.limit.units)),
            (.xRateLimitRemaining, String(first.remaining)),
            (.xRateLimitReset, String(first.resetAt)),
        ]
    }

    /// One item of a list (RFC 9651 section 3.1): `"hour";q=1000;w=3600`.
    private static func write(_ policy: LimitPolicy, _ first: String, _ one: Int64, _ second: String, _ two: Int64, to text: inout [UInt8])
    {
        text += (text.isEmpty ? "\"" : ", \"").utf8
        text += policy.rawValue.utf8
        text.append(UInt8(ascii: "\""))
        text += first.utf8
        text.append(decimal: one)
        text += second.utf8
        text.append(decimal: two)
    }
}
