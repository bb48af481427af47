import Database
import Hummingbird
import Models
import ServiceKit

struct IntegrationRoutes: Sendable {
    let providers: Providers
    let integrations: IntegrationStore
    let syncs: SyncStore
    let health: ConnectionHealth
    let outbox: Outbox
    let idempotency: Idempotency
    /// Seconds, for integrations that name no other.
    let defaultInterval: Int

    func mount(on table: RouteTable) {
        table.mount(.createIntegration, self.create)
        table.mount(.listIntegrations, self.list)
        table.mount(.getIntegration, self.show)
        table.mount(.updateIntegration, self.update)
        table.mount(.deleteIntegration, self.delete)
        table.mount(.testIntegration, self.test)
    }

    @Sendable private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body = try await request.jsonBody()
        let new = try NewIntegration(body.value, providers: self.providers, defaultInterval: self.defaultInterval)
        return try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            let organization = context.organizationID
            let integration = try self.integrations.insert(new, in: organization, transaction)
            let facts: JSONValue = [
                "integration_id": .integer(integration.id.rawValue), "provider": .string(integration.provider),
                "name": .string(integration.name),
            ]
            try self.outbox.append(.integrationConnected, facts, for: organization, in: transaction)
            try self.outbox.audit(
                "integration.created",
                target: "integration:\(integration.id)",
                details: facts,
                by: context,
                in: transaction
            )
            if new.definition.has(.syncContacts) {
                _ = try self.syncs.request(integration.id, in: organization, cause: .connected, transaction)
            }
            return try .json(IntegrationView(integration, new.definition), status: 201)
        }
    }

    @Sendable private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page(alsoAllowing: ["provider"])
        let fetched = try await self.integrations.list(page, provider: request.query("provider"), in: context.organizationID)
        let views = fetched.map { IntegrationView($0, self.providers[$0.provider]?.definition) }
        return try .json(Page(fetched: views, request: page, id: { $0.id.rawValue }))
    }

    @Sendable private func show(_ request: Request, _ context: CallerContext) async throws -> Response {
        guard let integration = try await self.integrations.find(try context.id(), in: context.organizationID) else {
            throw Problem.notFound
        }
        return try .json(IntegrationView(integration, self.providers[integration.provider]?.definition))
    }

    @Sendable private func update(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: IntegrationID = try context.id()
        let body = try await request.jsonBody()
        let view = try await self.integrations.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            guard let stored = try self.integrations.locked(id, in: context.organizationID, transaction),
                let definition = self.providers[stored.provider]?.definition
            else { throw Problem.notFound }
            let change = try IntegrationChange(body.value, to: stored, definition)
            let updated = try self.integrations.update(stored, change, transaction)
            try self.follow(change, from: stored, to: updated, transaction)
            if let details = IntegrationAudit(from: stored, to: updated, change.draft).details {
                try self.outbox.audit("integration.updated", target: "integration:\(id)", details: details, by: context, in: transaction)
            }
            return IntegrationView(updated, definition)
        }
        return try .json(view)
    }

    /// What a change means for syncs: a pause stops them, new credentials may be another account's and begin from the start.
    private func follow(
        _ change: IntegrationChange,
        from before: Integration,
        to after: Integration,
        _ transaction: Transaction
    ) throws {
        guard after.syncInterval != nil else { return }
        let hasNewSecrets = change.draft.map { !$0.secrets.isEmpty } ?? false
        if hasNewSecrets || after.status != .enabled {
            try self.syncs.cancelOpen(after.id, in: after.organizationID, transaction)
        }
        if hasNewSecrets { try self.syncs.forgetCursor(after.id, in: after.organizationID, transaction) }
        if after.status == .enabled, hasNewSecrets || before.status != .enabled {
            _ = try self.syncs.request(after.id, in: after.organizationID, cause: .connected, transaction)
        }
    }

    @Sendable private func delete(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: IntegrationID = try context.id()
        try await self.integrations.database.transaction(retry: .onConflict(attempts: 3)) { transaction in
            guard let stored = try self.integrations.locked(id, in: context.organizationID, transaction),
                try self.integrations.delete(id, in: context.organizationID, transaction)
            else { throw Problem.notFound }
            try self.syncs.cancelOpen(id, in: context.organizationID, transaction)
            try self.outbox.audit(
                "integration.deleted",
                target: "integration:\(id)",
                details: ["provider": .string(stored.provider), "name": .string(stored.name)],
                by: context,
                in: transaction
            )
        }
        return .noContent
    }

    @Sendable private func test(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: IntegrationID = try context.id()
        guard let connection = try await self.integrations.connection(id, in: context.organizationID), !connection.integration.isDeleted,
            let provider = self.providers[connection.integration.provider]
        else { throw Problem.notFound }
        let report = try await provider.test(connection)
        if report.ok { try await self.health.recovered(id, in: context.organizationID) }
        return try .json(report)
    }
}
