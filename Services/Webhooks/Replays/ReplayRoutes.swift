import Database
import Foundation
import Hummingbird
import Models
import ServiceKit

/// `/api/v1/webhooks/replays`.
struct ReplayRoutes: Sendable {
    let store: ReplayStore
    let idempotency: Idempotency
    let outbox: Outbox
    /// Woken when there is a replay to go on with.
    let wake: WakeSignal

    func mount(in table: RouteTable) {
        table.mount(.createReplay, self.create)
        table.mount(.listReplays, self.list)
        table.mount(.getReplay, self.show)
        table.mount(.pauseReplay) { _, context in try await self.change(to: .paused, from: [.running], context) }
        table.mount(.resumeReplay) { _, context in try await self.change(to: .running, from: [.paused], context) }
        table.mount(.cancelReplay, self.cancel)
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body = try await request.jsonBody()
        let organization = context.organizationID
        return try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            let new = try NewReplay(body.value, in: organization, transaction)
            let replay = try self.store.insert(new, in: organization, transaction)
            try self.outbox.audit(
                "replay.created",
                target: "replay:\(replay.id)",
                details: ["subscription_id": .integer(new.subscriptionID.rawValue), "total": .integer(Int64(replay.total))],
                by: context,
                in: transaction
            )
            try transaction.notify(self.wake.channel)
            return try .json(ReplayResponse(replay), status: 201)
        }
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page()
        let found = try await self.store.list(page, in: context.organizationID).map { ReplayResponse($0) }
        return try .json(Page(fetched: found, request: page, id: { $0.replay.id.rawValue }))
    }

    @Sendable private func show(_ request: Request, _ context: CallerContext) async throws -> Response {
        guard let (replay, progress) = try await self.store.find(try context.id(), in: context.organizationID) else {
            throw Problem.notFound
        }
        return try .json(ReplayResponse(replay, progress))
    }

    /// A repeat changes nothing; what is over stays over.
    private func change(to state: ReplayState, from states: Set<ReplayState>, _ context: CallerContext) async throws -> Response {
        let (id, organization): (ReplayID, OrganizationID) = (try context.id(), context.organizationID)
        let replay = try await self.store.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            guard let replay = try self.store.lock(id, in: organization, transaction) else { throw Problem.notFound }
            if replay.state == state { return replay }
            guard states.contains(replay.state) else { throw Self.isOver(replay, state) }
            return try self.change(replay, to: state, context, transaction)
        }
        if state == .running { self.wake.wake() }
        return try .json(ReplayResponse(replay))
    }

    /// Also one that has made all its deliveries, while some of them wait. A repeat calls off what was under way before and has failed since.
    @Sendable private func cancel(_ request: Request, _ context: CallerContext) async throws -> Response {
        let (id, organization): (ReplayID, OrganizationID) = (try context.id(), context.organizationID)
        let replay = try await self.store.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            // What it leaves behind in its lanes goes on: as always, their locks come first.
            try EventStore.lockHeads([organization], transaction)
            guard let replay = try self.store.lock(id, in: organization, transaction) else { throw Problem.notFound }
            let calledOff = try ReplayStore.callOff(replay, in: organization, transaction)
            switch replay.state {
            case .cancelled: return replay
            case .finished where calledOff == 0, .stopped: throw Self.isOver(replay, .cancelled)
            default: return try self.change(replay, to: .cancelled, context, transaction)
            }
        }
        return try .json(ReplayResponse(replay))
    }

    private func change(
        _ replay: Replay,
        to state: ReplayState,
        _ context: CallerContext,
        _ transaction: Transaction
    ) throws -> Replay {
        try self.outbox.audit("replay.\(state.rawValue)", target: "replay:\(replay.id)", by: context, in: transaction)
        return try self.store.setState(state, of: replay.id, in: context.organizationID, transaction)
    }

    private static func isOver(_ replay: Replay, _ state: ReplayState) -> Problem {
        Problem(.conflict, "The replay is \(replay.state.rawValue); it cannot become \(state.rawValue).")
    }
}

extension NewReplay {
    /// Reads `{"subscription_id", "from", "to", "which", "filter", "rate"}`.
    /// - Throws: a validation ``Problem`` that names every fault; 409 where the subscription is paused or disabled.
    init(_ body: JSONValue, in organization: OrganizationID, _ transaction: Transaction) throws {
        var fields = FieldReader(body)
        let id = SubscriptionID(fields.integer("subscription_id", 1...Int64.max))
        self.from = fields.date("from")
        let to = fields.optionalDate("to")
        // What has not happened yet is not replayed, and not claimed to have been.
        self.to = min(to ?? Date(), Date())
        self.scope = fields.choice("which", default: .undelivered)
        self.filter = fields.optionalValue("filter")
        self.rate = Int(fields.integer("rate", 1...Self.highestRate, default: Self.usualRate))
        self.subscriptionID = id
        if self.to <= self.from, fields.faults.isEmpty {
            fields.fault(to == nil ? "from" : "to", to == nil ? "must lie in the past" : "must be later than from")
        }
        let subscription = try SubscriptionStore.lock(id, in: organization, transaction)
        if subscription == nil, fields.faults.isEmpty { fields.fault("subscription_id", "there is no such subscription") }
        if let filter = self.filter, let subscription {
            let types = subscription.eventTypes.compactMap(EventType.init)
            for fault in EventFilter.parse(filter, for: types).faults { fields.fault(at: fault.pointer, fault.detail) }
        }
        try fields.finish()
        try subscription?.checkIsActive()
    }
}

/// A replay in JSON. Members without a value are null, never absent; `deliveries` is there only for a single replay.
struct ReplayResponse: Encodable, Sendable {
    let replay: Replay
    let progress: ReplayProgress?

    init(_ replay: Replay, _ progress: ReplayProgress? = nil) {
        self.replay = replay
        self.progress = progress
    }

    enum CodingKeys: String, CodingKey {
        case id, from, to, which, filter, rate, state, reason, total, made, deliveries
        case subscriptionID = "subscription_id"
        case lookedAt = "looked_at"
        case estimatedEnd = "estimated_end"
        case createdAt = "created_at"
        case finishedAt = "finished_at"
    }

    enum CountKeys: String, CodingKey { case waiting, succeeded, dead }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(self.replay.id, forKey: .id)
        try container.encode(self.replay.subscriptionID, forKey: .subscriptionID)
        try container.encode(self.replay.from, forKey: .from)
        try container.encode(self.replay.to, forKey: .to)
        try container.encode(self.replay.scope, forKey: .which)
        try container.encode(self.replay.filter, forKey: .filter)
        try container.encode(self.replay.rate, forKey: .rate)
        try container.encode(self.replay.state, forKey: .state)
        try container.encode(self.replay.reason, forKey: .reason)
        try container.encode(self.replay.total, forKey: .total)
        try container.encode(self.replay.lookedAt, forKey: .lookedAt)
        try container.encode(self.replay.made, forKey: .made)
        try container.encode(self.replay.estimatedEnd(at: Date()), forKey: .estimatedEnd)
        try container.encode(self.replay.createdAt, forKey: .createdAt)
        try container.encode(self.replay.finishedAt, forKey: .finishedAt)
        guard let progress else { return }
        var counts = container.nestedContainer(keyedBy: CountKeys.self, forKey: .deliveries)
        try counts.encode(progress.waiting, forKey: .waiting)
        try counts.encode(progress.succeeded, forKey: .succeeded)
        try counts.encode(progress.dead, forKey: .dead)
    }
}

extension Replay {
    /// When the last event will have been looked at if it goes on as it went; nil where that is not known, or over.
    func estimatedEnd(at now: Date) -> Date? {
        guard self.state == .running, self.lookedAt > 0 else { return nil }
        let elapsed = now.timeIntervalSince(self.createdAt)
        return now.addingTimeInterval(elapsed * Double(max(0, self.total - self.lookedAt)) / Double(self.lookedAt))
    }
}
