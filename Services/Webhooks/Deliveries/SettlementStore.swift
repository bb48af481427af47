import Database
import Models

/// Writes what attempts came to, many in one transaction: the deliveries, the health of their targets, and what follows from it.
struct SettlementStore: Sendable {
    let database: Postgres
    let ends: SubscriptionEnds
    /// Attempts under way at once to a sound target.
    let perSubscription: Int
    /// How long one try waits for what another transaction holds: shorter than what a lease has left, so that there is another try.
    private static let patience = "3s"

    /// - Returns: for each whether it was written; not where the delivery is another worker's by now.
    func settle(_ settlements: [DeliverySettlement]) async throws -> [Bool] {
        let chances = settlements.map { $0.sign == nil ? 0 : Double.random(in: -1...1) }
        // A member who changes a subscription takes the same locks in another order.
        let written = try await self.database.transaction(retry: .onConflict(attempts: 5)) { transaction in
            try transaction.write("SELECT \(Transaction.keyPlans), set_config('lock_timeout', \(Self.patience), true)")
            try self.lockHeads(settlements, transaction)
            let health = try self.lockHealth(settlements, transaction)
            let written = Set(try transaction.rows(settlements.statement, as: Int64.self))
            let signs = zip(settlements, chances).filter { written.contains($0.0.delivery.id.rawValue) }
            try self.note(signs, on: health, transaction)
            for settlement in settlements where settlement.step == .gone && written.contains(settlement.delivery.id.rawValue) {
                try self.ends.end(settlement.delivery, transaction)
            }
            let ordered = settlements.compactMap { OrderedLane($0.delivery) }
            if !ordered.isEmpty { try OrderedLane.promote(ordered, after: 0, transaction) }
            return written
        }
        return settlements.map { written.contains($0.delivery.id.rawValue) }
    }

    /// Intake of the organization waits: first of all locks, as everywhere.
    private func lockHeads(_ settlements: [DeliverySettlement], _ transaction: Transaction) throws {
        let concerned = settlements.filter(\.concernsHead)
        guard !concerned.isEmpty else { return }
        try EventStore.lockHeads(Set(concerned.map(\.delivery.organizationID)), transaction)
    }

    private func lockHealth(_ settlements: [DeliverySettlement], _ transaction: Transaction) throws -> [EndpointStateStore.Stored] {
        let keys = Set(settlements.filter { $0.sign != nil }.map(\.delivery.key))
        return keys.isEmpty ? [] : try EndpointStateStore.lock(keys.sorted(), transaction)
    }

    private func note(
        _ settled: [(DeliverySettlement, Double)],
        on stored: [EndpointStateStore.Stored],
        _ transaction: Transaction
    ) throws {
        guard !stored.isEmpty else { return }
        var health = Dictionary(uniqueKeysWithValues: stored.map { ($0.key, $0.health) })
        var warnings: [(ClaimedDelivery, EndpointHealth, EndpointHealth.Warning)] = []
        let now = stored[0].now
        for (settlement, chance) in settled {
            guard let sign = settlement.sign, var state = health[settlement.delivery.key] else { continue }
            let warning = state.note(sign, at: now, full: self.perSubscription, chance: chance)
            health[settlement.delivery.key] = state
            if let warning { warnings.append((settlement.delivery, state, warning)) }
        }
        let changed = stored.compactMap { stored in
            health[stored.key].flatMap { $0 == stored.health ? nil : (key: stored.key, health: $0) }
        }
        if !changed.isEmpty { try transaction.write(EndpointStateStore.update(changed)) }
        for (delivery, state, warning) in warnings { try self.ends.warn(warning, of: delivery, state, transaction) }
    }
}
