import Database
import Models
import ServiceKit
import Synchronization

/// Deliveries as work: claimed in fair turns, settled under their fence.
///
/// The waiting deliveries of one subscription are its lane. A claim goes round the organizations, gives each the same share, and inside each
/// goes from lane to lane, starting behind the one served last; from each it takes no more than the subscription may have under way. So
/// neither a hanging target, nor a long lane, nor an organization with many of them keeps the others waiting. It hops over the lanes' index
/// (one probe a lane), so its cost does not grow with the rows that wait.
final class DeliveryQueue: Sendable {
    struct Pick: RowDecodable, Sendable {
        var key: EndpointKey
        var id: Int64
        /// Of its row, until that is written anew.
        var place: String
        /// How many more the lane's subscription may have under way.
        var room: Int
        /// Of a lane with a limited rate: how many seconds each of its deliveries takes up.
        var interval: Double?
        var target: ClaimedDelivery.Target

        init(row: Row) throws {
            self.key = EndpointKey(organizationID: try row.get("organization_id"), subscriptionID: try row.get("subscription_id"))
            self.id = try row.get("id")
            self.place = try row.get("place")
            self.room = try row.get("room")
            self.interval = try row.get("interval")
            self.target = try ClaimedDelivery.Target(row: row)
        }
    }

    /// Attempts under way at once, all processes together.
    struct Caps: Sendable {
        var perSubscription: Int
        var perOrganization: Int
    }

    /// Of the signal that there may be deliveries to make.
    static let signal = "webhooks_deliveries"
    static let channel = WakeSignal.channel(signal)

    /// Lost leases that one claim takes back.
    private static let takeBackLimit = 500
    /// How often leases are looked through; they run out after many times as long.
    private static let takeBackInterval = Duration.seconds(1)

    let database: Postgres
    let endpoints: EndpointCache
    let caps: Caps
    /// Seconds.
    let lease: Double
    private let turns = Mutex(ClaimTurns())
    private let nextTakeBack = Mutex(ContinuousClock.now)

    init(database: Postgres, endpoints: EndpointCache, caps: Caps, lease: Double) {
        self.database = database
        self.endpoints = endpoints
        self.caps = caps
        self.lease = lease
    }

    /// An attempt's time-out, and room for its claim before and its settlement after.
    static func lease(timeout: Duration) -> Double { timeout / .seconds(1) + 15 }

    /// - Returns: what was claimed, and whether there may be more due that this claim did not come to.
    func claim(_ limit: Int) async throws -> (deliveries: [ClaimedDelivery], hasMore: Bool) {
        let takesBack = self.nextTakeBack.withLock { next in
            guard next <= .now else { return false }
            next = .now + Self.takeBackInterval
            return true
        }
        if takesBack { try await self.takeBack() }
        guard limit > 0 else { return ([], false) }
        let start = self.turns.withLock { $0.next }
        let (shares, picks, claimed) = try await self.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            try transaction.write(ClaimSQL.begin)
            let shares = try self.shares(of: limit, after: start, transaction)
            let picks = try transaction.rows(ClaimSQL.pick(limit, shares, self.caps), as: Pick.self)
            guard !picks.isEmpty else { return (shares, picks, [ClaimedDelivery]()) }
            if let rates = ClaimSQL.useUpRates(picks) { try transaction.write(rates) }
            return (shares, picks, try transaction.rows(ClaimSQL.take(picks, lease: self.lease), as: ClaimedDelivery.self))
        }
        let hasMore = self.turns.withLock { $0.advance(shares, picks, limit: limit) }
        return (try await self.opened(claimed, picks), hasMore)
    }

    /// Of the organizations behind the one served last, and then of those before it.
    private func shares(of limit: Int, after start: Int64, _ transaction: Transaction) throws -> Shares {
        let room = ClaimTurns.organizations
        var waiting = try transaction.rows(ClaimSQL.organizations(room, after: start), as: Int64.self)
        if start != 0, waiting.count < room {
            waiting += try transaction.rows(ClaimSQL.organizations(room - waiting.count, after: 0), as: Int64.self).filter { $0 <= start }
        }
        return self.turns.withLock { [waiting] turns in turns.shares(of: limit, among: waiting) }
    }

    private func opened(_ claimed: [ClaimedDelivery], _ picks: [Pick]) async throws -> [ClaimedDelivery] {
        guard !claimed.isEmpty else { return [] }
        let lanes = Dictionary(grouping: picks, by: \.key)
        let endpoints: [EndpointKey: Endpoint]
        do {
            endpoints = try await self.endpoints.endpoints(lanes.compactMapValues { $0.first?.target.revision })
        } catch {
            // Claimed and not to be sent: others need not wait for the leases.
            for delivery in claimed { try await self.handBack(delivery, recordsAttempt: false) }
            throw error
        }
        return claimed.map { delivery in
            var delivery = delivery
            guard let lane = lanes[delivery.key], let first = lane.first else { return delivery }
            delivery.target = first.target
            delivery.endpoint = endpoints[delivery.key]
            delivery.fillsLane = lane.count >= first.room
            return delivery
        }
    }

    /// Deliveries whose worker is gone wait again, at once. The cut-off attempt is recorded; it uses up nothing of the schedule.
    func takeBack() async throws {
        try await self.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            try transaction.planByKeys()
            try transaction.write(ClaimSQL.takeBack(Self.takeBackLimit, lease: self.lease))
        }
    }

    /// Gives up a claim at shutdown. The target may have taken the event, so the attempt is recorded as cut off.
    func handBack(_ delivery: ClaimedDelivery, recordsAttempt: Bool = true) async throws {
        try await self.database.write(ClaimSQL.handBack(delivery, recordsAttempt: recordsAttempt))
    }
}
