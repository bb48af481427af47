import Database
import Hummingbird
import Models
import ServiceKit

struct MemberRoutes: Sendable {
    let database: Postgres
    let organizations: OrganizationStore
    let members: MemberStore
    let invitations: InvitationStore
    let audit: AuditStore

    func mount(on table: RouteTable) {
        table.mount(.listMembers, self.list)
        table.mount(.changeMember, self.change)
        table.mount(.removeMember, self.remove)
        table.mount(.leaveOrganization, self.leave)
    }

    private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page()
        let members = try await self.members.list(page, in: context.organizationID)
        return try .json(Page(fetched: members, request: page, id: { $0.id.rawValue }))
    }

    private func change(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: UserID = try context.id()
        var reader = FieldReader(try await request.jsonBody(limit: SignInLimits.body).value)
        let role: Role = reader.choice("role")
        try reader.finish()
        let (organization, origin, caller) = (context.organizationID, AuditOrigin(context), context.principal.userID)
        let changed = try await self.database.transaction { transaction -> Member in
            let owners = try self.lockedOwners(of: organization, caller: caller, transaction)
            guard var member = try self.members.find(id, in: organization, transaction) else { throw Problem.notFound }
            guard member.role != role else { return member }
            try MembershipRules.check(id, becoming: role, owners: owners)
            try self.members.change(id, to: role, in: organization, transaction)
            // Who is no owner any more leaves no doors open behind them.
            if member.role == .owner { try self.invitations.revokeAll(by: id, in: organization, transaction) }
            try Revocation.announce(.member(organization, id), in: transaction)
            let difference = AuditedChange(from: ["role": .string(member.role.rawValue)], to: ["role": .string(role.rawValue)])
            let change = AuditChange(action: "member.role_changed", target: "user:\(id)", details: difference.details)
            try self.audit.record(change, by: origin, in: organization, transaction)
            member.role = role
            return member
        }
        return try .json(changed)
    }

    private func remove(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: UserID = try context.id()
        let (organization, origin, caller) = (context.organizationID, AuditOrigin(context), context.principal.userID)
        try await self.database.transaction { transaction in
            let owners = try self.lockedOwners(of: organization, caller: caller, transaction)
            try self.end(id, in: organization, owners, "member.removed", origin, transaction)
        }
        return .noContent
    }

    private func leave(_ request: Request, _ context: CallerContext) async throws -> Response {
        let (organization, origin, caller) = (context.organizationID, AuditOrigin(context), context.principal.userID)
        try await self.database.transaction { transaction in
            try self.organizations.lockMembers(of: organization, transaction)
            let owners = try self.members.owners(of: organization, transaction)
            try self.end(caller, in: organization, owners, "member.left", origin, transaction)
        }
        return .noContent
    }

    /// Two owners who remove each other at once come here one after the other, and the second is no owner any more.
    private func lockedOwners(of organization: OrganizationID, caller: UserID, _ transaction: Transaction) throws -> Set<UserID> {
        try self.organizations.lockMembers(of: organization, transaction)
        let owners = try self.members.owners(of: organization, transaction)
        guard owners.contains(caller) else { throw Problem(.forbidden, "This needs the role owner.") }
        return owners
    }

    /// Membership, sessions, keys and open invitations of the member end together, in every replica at once.
    private func end(
        _ user: UserID,
        in organization: OrganizationID,
        _ owners: Set<UserID>,
        _ action: String,
        _ origin: AuditOrigin,
        _ transaction: Transaction
    ) throws {
        guard let member = try self.members.find(user, in: organization, transaction) else { throw Problem.notFound }
        try MembershipRules.check(user, becoming: nil, owners: owners)
        let keys = try self.members.revokeKeys(of: user, in: organization, transaction)
        try self.invitations.revokeAll(by: user, in: organization, transaction)
        try self.members.remove(user, from: organization, transaction)
        try Revocation.announce(.member(organization, user), in: transaction)
        let details: JSONValue = ["role": .string(member.role.rawValue), "email": .string(member.email)]
        try self.audit.record(
            AuditChange(action: action, target: "user:\(user)", details: details),
            by: origin,
            in: organization,
            transaction
        )
        for key in keys {
            let change = AuditChange(action: "key.revoked", target: "key:\(key)", details: ["reason": .string(action)])
            try self.audit.record(change, by: origin, in: organization, transaction)
        }
    }
}
