import Models
import ServiceKit

/// The operator's limits, and which of them apply to whom.
struct LimitSettings: Sendable {
    struct ByTier: Sendable {
        var standard: Int64
        var premium: Int64

        init(standard: Int, premium: Int) {
            self.standard = Int64(standard)
            self.premium = Int64(premium)
        }

        subscript(tier: Tier) -> Int64 { tier == .premium ? self.premium : self.standard }
    }

    /// `API_RATE_LIMIT_DEFAULT` (1000) and `API_RATE_LIMIT_PREMIUM` (10000): units an hour of each API key, by its organization's tier.
    var hour: ByTier
    /// `API_BURST_LIMIT_DEFAULT` (100) and `API_BURST_LIMIT_PREMIUM` (1000): units of each API key in ten seconds.
    var burst: ByTier
    /// `ORGANIZATION_RATE_LIMIT_DEFAULT` (10000) and `ORGANIZATION_RATE_LIMIT_PREMIUM` (100000): units an hour of all API keys of an
    /// organization together.
    var organization: ByTier
    /// `MEMBER_RATE_LIMIT` (1200): units a minute of each signed-in member.
    var member: Int64
    /// `ADDRESS_RATE_LIMIT` (300): units a minute of each address (of a /64 for IPv6) without a valid credential.
    var address: Int64
    /// `API_RATE_LIMIT_DEFAULT_TRIAL` and `API_RATE_LIMIT_PREMIUM_TRIAL` (0, none): limits that are tried out beside the enforced ones, as the
    /// policy `hour-trial`.
    var trial: ByTier
    /// `RATE_LIMIT_DRY_RUN` (none): names of policies, separated by commas, that are counted and reported but refuse nobody.
    var dryRun: Set<LimitPolicy>

    private static let range = 1...1_000_000_000

    init(_ reader: SettingsReader) {
        self.hour = ByTier(
            standard: reader.integer("API_RATE_LIMIT_DEFAULT", default: 1_000, in: Self.range),
            premium: reader.integer("API_RATE_LIMIT_PREMIUM", default: 10_000, in: Self.range)
        )
        self.burst = ByTier(
            standard: reader.integer("API_BURST_LIMIT_DEFAULT", default: 100, in: Self.range),
            premium: reader.integer("API_BURST_LIMIT_PREMIUM", default: 1_000, in: Self.range)
        )
        self.organization = ByTier(
            standard: reader.integer("ORGANIZATION_RATE_LIMIT_DEFAULT", default: 10_000, in: Self.range),
            premium: reader.integer("ORGANIZATION_RATE_LIMIT_PREMIUM", default: 100_000, in: Self.range)
        )
        self.member = Int64(reader.integer("MEMBER_RATE_LIMIT", default: 1_200, in: Self.range))
        self.address = Int64(reader.integer("ADDRESS_RATE_LIMIT", default: 300, in: Self.range))
        self.trial = ByTier(
            standard: reader.integer("API_RATE_LIMIT_DEFAULT_TRIAL", default: 0, in: 0...Self.range.upperBound),
            premium: reader.integer("API_RATE_LIMIT_PREMIUM_TRIAL", default: 0, in: 0...Self.range.upperBound)
        )
        var dryRun: Set<LimitPolicy> = []
        for name in (reader.optionalString("RATE_LIMIT_DRY_RUN") ?? "").split(separator: ",") {
            if let policy = LimitPolicy(rawValue: String(name.filter { $0 != " " })) {
                dryRun.insert(policy)
            } else {
                reader.fault("RATE_LIMIT_DRY_RUN", "\(name) is none of \(LimitPolicy.allCases.map(\.rawValue).joined(separator: ", "))")
            }
        }
        self.dryRun = dryRun
    }

    /// Of which members are told when they are nearly used: what refuses nobody is no news.
    var watched: [LimitPolicy] { [LimitPolicy.hour, .organization].filter { !self.dryRun.contains($0) } }

    /// - own: the key's own limit an hour, which can only lower its tier's.
    /// - above: keys that made it or its makers, with limits of their own: what their descendants use counts for them too.
    func limits(
        ofKey id: APIKeyID,
        own: Int64?,
        above: [LimitedAncestor] = [],
        in organization: OrganizationID,
        _ tier: Tier
    ) -> [Limit] {
        let key = LimitSubject.key(organization, id)
        let hour = min(self.hour[tier], own ?? .max)
        var limits = [Limit(subject: key, policy: .hour, units: hour)]
        if self.burst[tier] < hour { limits.append(Limit(subject: key, policy: .burst, units: self.burst[tier])) }
        for ancestor in above {
            let units = min(self.hour[tier], ancestor.limit)
            limits.append(Limit(subject: .key(organization, ancestor.id), policy: .hour, units: units))
        }
        limits.append(Limit(subject: .organization(organization), policy: .organization, units: self.organization[tier]))
        if self.trial[tier] > 0 { limits.append(Limit(subject: key, policy: .hourTrial, units: min(self.trial[tier], own ?? .max))) }
        return self.marked(limits)
    }

    func limits(ofMember user: UserID, in organization: OrganizationID) -> [Limit] {
        self.marked([Limit(subject: .member(organization, user), policy: .member, units: self.member)])
    }

    func limits(ofAddress address: String) -> [Limit] {
        self.marked([Limit(subject: .address(ClientNetwork(address)), policy: .address, units: self.address)])
    }

    private func marked(_ limits: [Limit]) -> [Limit] {
        limits.map { limit in
            var limit = limit
            limit.isEnforced = limit.policy != .hourTrial && !self.dryRun.contains(limit.policy)
            return limit
        }
    }
}

/// A key above another one (it made it, or made its maker) that has a limit of its own.
struct LimitedAncestor: Sendable, Equatable {
    var id: APIKeyID
    /// Its own units an hour.
    var limit: Int64
}
