import Database
import Hummingbird
import Models
import ServiceKit

/// The organizations of a user.
struct OrganizationRoutes: Sendable {
    let database: Postgres
    let organizations: OrganizationStore
    let audit: AuditStore
    let attempts: AttemptStore
    let budgets: AttemptBudgets
    let idempotency: Idempotency

    func mount(on table: RouteTable) {
        table.mount(.listOrganizations, self.list)
        table.mount(.createOrganization, self.create)
        table.mount(.renameOrganization, self.rename)
    }

    private struct Item: Encodable, Sendable {
        var belonging: Belonging
        /// It is the one that the session acts in.
        var isCurrent: Bool

        private enum CodingKeys: String, CodingKey { case id, name, tier, role, current }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(self.belonging.organization.id, forKey: .id)
            try container.encode(self.belonging.organization.name, forKey: .name)
            try container.encode(self.belonging.organization.tier, forKey: .tier)
            try container.encode(self.belonging.role, forKey: .role)
            try container.encode(self.isCurrent, forKey: .current)
        }
    }

    private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page()
        let belongings = try await self.organizations.list(of: context.principal.userID, page)
        let items = belongings.map { Item(belonging: $0, isCurrent: $0.organization.id == context.organizationID) }
        return try .json(Page(fetched: items, request: page, id: { $0.belonging.organization.id.rawValue }))
    }

    /// The session stays where it is: switching is a step of its own.
    private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body = try await request.jsonBody()
        var reader = FieldReader(body.value)
        let name = reader.line("name", 1...200)
        try reader.finish()
        let user = context.principal.userID
        let origin = AuditOrigin(context)
        return try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            try self.attempts.charge([try self.budgets.of(.organization, "\(user)")], transaction)
            let id = try self.organizations.create(name, owner: user, by: origin, transaction)
            let made = OrganizationSummary(id: id, name: name, tier: .default)
            return try .json(Item(belonging: Belonging(organization: made, role: .owner), isCurrent: false), status: 201)
        }
    }

    private func rename(_ request: Request, _ context: CallerContext) async throws -> Response {
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let name = reader.line("name", 1...200)
        try reader.finish()
        let organization = context.organizationID
        let origin = AuditOrigin(context)
        let renamed = try await self.database.transaction { transaction in
            guard let renamed = try self.organizations.rename(organization, to: name, transaction) else { throw Problem.notFound }
            let difference = AuditedChange(from: ["name": .string(renamed.before)], to: ["name": .string(name)])
            if !difference.isEmpty {
                let details = difference.details(named: name)
                let change = AuditChange(action: "organization.renamed", target: "organization:\(organization)", details: details)
                try self.audit.record(change, by: origin, in: organization, transaction)
            }
            return renamed.organization
        }
        return try .json(renamed)
    }
}
