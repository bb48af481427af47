import Database
import Foundation
import Hummingbird
import Models
import ServiceKit

struct CampaignRoutes: Sendable {
    let campaigns: CampaignStore
    let database: Postgres
    let idempotency: Idempotency
    let outbox: Outbox
    let wakes: SendingWakes
    let senders: SenderCheck

    func mount(on table: RouteTable) {
        table.mount(.createCampaign) { request, context in try await self.create(request, context) }
        table.mount(.listCampaigns) { request, context in try await self.list(request, context) }
        table.mount(.getCampaign) { _, context in try await self.show(context) }
        table.mount(.updateCampaign) { request, context in try await self.update(request, context) }
        table.mount(.deleteCampaign) { _, context in try await self.delete(context) }
        table.mount(.scheduleCampaign) { request, context in try await self.schedule(request, context) }
        table.mount(.sendCampaign) { request, context in try await self.send(request, context) }
        table.mount(.pauseCampaign) { _, context in try await self.move(.pause, context) }
        table.mount(.resumeCampaign) { _, context in try await self.move(.resume, context) }
        table.mount(.cancelCampaign) { _, context in try await self.move(.cancel, context) }
    }

    private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body = try await request.jsonBody()
        let content = try CampaignContent(reading: body.value)
        let sender = await self.senders.look(content.integrationID, in: context.organizationID)
        return try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            try sender.check(content.channel)
            let campaign = try self.campaigns.insert(content, in: context.organizationID, transaction)
            let details: JSONValue = ["name": .string(campaign.content.name), "status": .string(campaign.status.rawValue)]
            try self.audit("created", campaign, details, context, transaction)
            return try .json(CampaignResponse(campaign), status: 201)
        }
    }

    private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page()
        let fetched = try await self.campaigns.list(page, in: context.organizationID)
        return try .json(Page(fetched: fetched.map(CampaignResponse.init(listed:)), request: page) { $0.id.rawValue })
    }

    private func show(_ context: CallerContext) async throws -> Response {
        let id: CampaignID = try context.id()
        async let counts = self.campaigns.counts(of: id, in: context.organizationID)
        guard let campaign = try await self.campaigns.find(id, in: context.organizationID) else { throw Problem.notFound }
        return try .json(CampaignResponse(campaign, counts: try await counts))
    }

    private func update(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: CampaignID = try context.id()
        let body = try await request.jsonBody()
        var sender: SenderCheck.Finding?
        if let given = body.value["integration_id"]?.integerValue {
            sender = await self.senders.look(IntegrationID(given), in: context.organizationID)
        }
        let campaign = try await self.database.transaction { [sender] transaction in
            let before = try self.campaigns.lock(id, for: .edit, in: context.organizationID, transaction)
            let content = try CampaignContent(reading: body.value, over: before.content)
            try sender?.check(content.channel)
            let campaign = try self.campaigns.update(id, to: content, in: context.organizationID, transaction)
            let change = AuditedChange(from: try before.content.audited(), to: try campaign.content.audited())
            if !change.isEmpty {
                try self.audit("updated", campaign, change.details(named: campaign.content.name), context, transaction)
            }
            return campaign
        }
        return try .json(CampaignResponse(campaign))
    }

    private func delete(_ context: CallerContext) async throws -> Response {
        let id: CampaignID = try context.id()
        try await self.database.transaction { transaction in
            try self.campaigns.delete(id, in: context.organizationID, transaction)
            try self.outbox.audit("campaign.deleted", target: "campaign:\(id)", by: context, in: transaction)
        }
        return .noContent
    }

    private func schedule(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: CampaignID = try context.id()
        let body = try await request.jsonBody()
        return try await self.perform(.schedule, id, request, context, body: body.bytes) { try Self.futureTime(in: body.value) }
    }

    private static func futureTime(in body: JSONValue) throws -> Date {
        var reader = FieldReader(body)
        let time = reader.date("scheduled_at")
        if time <= Date(), reader.faults.isEmpty { reader.fault("scheduled_at", "must lie in the future; to start now, use send") }
        try reader.finish()
        return time
    }

    /// A body means nothing here, but an Idempotency-Key stands for the one that it came with.
    private func send(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body = Array(try await request.collect(upTo: RequestLimits.body).readableBytesView)
        return try await self.perform(.send, try context.id(), request, context, body: body) { nil }
    }

    /// - time: read where the effect happens, so that a repeat gets its first answer also when that time has passed.
    private func perform(
        _ action: CampaignAction,
        _ id: CampaignID,
        _ request: Request,
        _ context: CallerContext,
        body: [UInt8],
        time: @escaping @Sendable () throws -> Date?
    ) async throws -> Response {
        let content = try await self.campaigns.find(id, in: context.organizationID)?.content
        var sender: SenderCheck.Finding?
        if let content { sender = await self.senders.look(content.integrationID, in: context.organizationID) }
        return try await self.idempotency.perform(request, context, body: body) { [sender] transaction in
            let time = try time()
            if let content { try sender?.check(content.channel) }
            let campaign = try self.moved(action, id, scheduledAt: time, context, transaction)
            return try .json(CampaignResponse(campaign), status: action == .send ? 202 : 200)
        }
    }

    private func move(_ action: CampaignAction, _ context: CallerContext) async throws -> Response {
        let id: CampaignID = try context.id()
        let campaign = try await self.database.transaction { transaction in
            try self.moved(action, id, scheduledAt: nil, context, transaction)
        }
        return try .json(CampaignResponse(campaign))
    }

    private func moved(
        _ action: CampaignAction,
        _ id: CampaignID,
        scheduledAt: Date?,
        _ context: CallerContext,
        _ transaction: Transaction
    ) throws -> Campaign {
        let (before, campaign) = try self.campaigns.move(id, action, scheduledAt: scheduledAt, in: context.organizationID, transaction)
        let change = AuditedChange(from: before.auditedProgress, to: campaign.auditedProgress)
        try self.audit(action.rawValue, campaign, change.details(named: campaign.content.name), context, transaction)
        try transaction.notify(campaign.status == .sending ? self.wakes.dispatch.channel : self.wakes.prepare.channel)
        return campaign
    }

    private func audit(
        _ what: String,
        _ campaign: Campaign,
        _ details: JSONValue,
        _ context: CallerContext,
        _ transaction: Transaction
    ) throws {
        try self.outbox.audit("campaign.\(what)", target: "campaign:\(campaign.id)", details: details, by: context, in: transaction)
    }
}
