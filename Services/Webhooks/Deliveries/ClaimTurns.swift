import Models

extension DeliveryQueue {
    /// Who takes part in one claim.
    struct Shares: Sendable {
        var organizations: [Int64]
        /// The lane that was served last, of each; 0 where none was.
        var served: [Int64]
        /// Deliveries that each may get.
        var share: Int
    }
}

/// Whose turn it is: organizations one after the other, and inside each its lanes.
struct ClaimTurns: Sendable {
    /// Organizations that one claim looks at.
    static let organizations = 64
    /// Organizations of which the lane served last is remembered.
    private static let remembered = 10_000

    /// Claims in a row that may find nothing before the next wake-up is waited for: some 2000 organizations whose targets are all held up.
    private static let mostEmptyClaims = 32

    /// The claim looks at the organizations behind this one first.
    private(set) var next: Int64 = 0
    private var served: [Int64: Int64] = [:]
    private var emptyClaims = 0

    func shares(of limit: Int, among organizations: [Int64]) -> DeliveryQueue.Shares {
        let share = organizations.isEmpty ? limit : (limit + organizations.count - 1) / organizations.count
        return DeliveryQueue.Shares(organizations: organizations, served: organizations.map { self.served[$0] ?? 0 }, share: share)
    }

    /// - Returns: whether another claim now may find more that is due.
    mutating func advance(_ shares: DeliveryQueue.Shares, _ picks: [DeliveryQueue.Pick], limit: Int) -> Bool {
        if self.served.count > Self.remembered { self.served = [:] }
        var hasMore = false
        let taken = Dictionary(grouping: picks, by: \.key.organizationID.rawValue)
        for (organization, picks) in taken {
            self.served[organization] = picks.last?.key.subscriptionID.rawValue
            if picks.count >= shares.share { hasMore = true }
        }
        self.emptyClaims = picks.isEmpty ? self.emptyClaims + 1 : 0
        if picks.count >= limit {
            self.next = picks.last?.key.organizationID.rawValue ?? 0
            return true
        }
        guard shares.organizations.count == Self.organizations else { return hasMore }
        self.next = shares.organizations.last ?? 0
        return hasMore || self.emptyClaims < Self.mostEmptyClaims
    }
}
