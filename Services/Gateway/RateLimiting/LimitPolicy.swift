import Database
import Models
import ServiceKit

/// What an organization has booked; the operator sets it.
enum Tier: String, Codable, CaseIterable, Sendable, SQLEncodable, SQLDecodable {
    case `default`, premium
}

/// A named rule of counting. Its name stands in the headers and in the problem's `violated-policies`.
enum LimitPolicy: String, CaseIterable, Sendable, SQLEncodable {
    /// What a key may use in an hour.
    case hour
    /// What a key may use in a short while, so that an hour's units are not spent at one stroke.
    case burst
    /// What all keys of an organization may use in an hour.
    case organization
    /// What a signed-in member may use.
    case member
    /// What one address may ask without a valid credential.
    case address
    /// Counted beside `hour` with another limit and never enforced: how a new limit would do.
    case hourTrial = "hour-trial"

    /// Windows begin at whole multiples of this since 1970, by Postgres's clock: hours at the full hour in UTC.
    var windowSeconds: Int64 {
        switch self {
        case .hour, .organization, .hourTrial: 3600
        case .burst: 10
        case .member, .address: 60
        }
    }

    /// What happens to requests while Postgres cannot be asked and nothing granted is left.
    enum Failing: Sendable {
        /// They are refused with 503: a quota that was sold is not exceeded.
        case closed
        /// Each replica counts alone, up to the whole limit, until Postgres is back: protection goes on, service too.
        case local
    }

    var failing: Failing {
        switch self {
        case .hour, .organization: .closed
        case .burst, .member, .address, .hourTrial: .local
        }
    }
}

/// Who is counted.
enum LimitSubject: Hashable, Sendable {
    case key(OrganizationID, APIKeyID)
    case organization(OrganizationID)
    case member(OrganizationID, UserID)
    case address(ClientNetwork)

    /// 0 where it belongs to none.
    var organizationID: Int64 {
        switch self {
        case .key(let organization, _), .organization(let organization), .member(let organization, _): organization.rawValue
        case .address: 0
        }
    }

    var text: String {
        switch self {
        case .key(_, let id): "key:\(id)"
        case .organization: "organization"
        case .member(_, let id): "member:\(id)"
        case .address(let network): "address:\(network.text)"
        }
    }
}

/// So many units for one subject in each window of the policy.
struct Limit: Hashable, Sendable {
    var subject: LimitSubject
    var policy: LimitPolicy
    var units: Int64
    /// False for a dry run: it is counted and reported, and refuses nobody.
    var isEnforced = true

    var counter: Counter { Counter(subject: self.subject, policy: self.policy) }

    /// What is counted in one place.
    struct Counter: Hashable, Sendable {
        var subject: LimitSubject
        var policy: LimitPolicy
    }
}
