import Database
import Hummingbird
import Models
import ServiceKit

/// Inviting somebody, by those who own the organization.
struct InvitationRoutes: Sendable {
    let database: Postgres
    let organizations: OrganizationStore
    let accounts: AccountStore
    let invitations: InvitationStore
    let mails: MailQueue
    let texts: MailTexts
    let attempts: AttemptStore
    let budgets: AttemptBudgets
    let audit: AuditStore
    let idempotency: Idempotency

    func mount(on table: RouteTable) {
        table.mount(.createInvitation, self.create)
        table.mount(.listInvitations, self.list)
        table.mount(.revokeInvitation, self.revoke)
    }

    private func create(_ request: Request, _ context: CallerContext) async throws -> Response {
        let body = try await request.jsonBody()
        let new = try NewInvitation(body.value)
        let (organization, origin, inviter) = (context.organizationID, AuditOrigin(context), context.principal.userID)
        return try await self.idempotency.perform(request, context, body: body.bytes) { transaction in
            try self.attempts.charge([try self.budgets.of(.invitation, "\(organization)")], transaction)
            try self.organizations.lockMembers(of: organization, transaction)
            guard let account = try self.accounts.find(inviter, in: organization, transaction), account.role == .owner else {
                throw Problem(.forbidden, "This needs the role owner.")
            }
            guard try !self.invitations.isMember(new.email, of: organization, transaction) else {
                throw Problem(.conflict, "Somebody with this email address is a member already.")
            }
            let token = try TokenFormat.invitation.make()
            let digest = try TokenDigest(token.reveal())
            guard let made = try self.invitations.insert(new, digest, by: inviter, in: organization, transaction) else {
                throw Problem(.conflict, "This email address has an open invitation. Delete it to send another one.")
            }
            let mail = self.texts.invitation(to: new.email, account.organization.name, new.role, by: account.user.email, token)
            let fate = try self.mails.add(mail, transaction)
            let details: JSONValue = ["email": .string(new.email), "role": .string(new.role.rawValue)]
            let change = AuditChange(action: "invitation.created", target: "invitation:\(made.id)", details: details)
            try self.audit.record(change, by: origin, in: organization, transaction)
            return try .json(InvitationResponse(invitation: made, mail: fate), status: 201)
        }
    }

    private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page()
        let invitations = try await self.invitations.list(page, in: context.organizationID)
        let items = invitations.map { InvitationResponse(invitation: $0) }
        return try .json(Page(fetched: items, request: page, id: { $0.invitation.id.rawValue }))
    }

    private func revoke(_ request: Request, _ context: CallerContext) async throws -> Response {
        let id: InvitationID = try context.id()
        let (organization, origin) = (context.organizationID, AuditOrigin(context))
        try await self.database.transaction { transaction in
            guard let email = try self.invitations.revoke(id, in: organization, transaction) else { throw Problem.notFound }
            let change = AuditChange(action: "invitation.revoked", target: "invitation:\(id)", details: ["email": .string(email)])
            try self.audit.record(change, by: origin, in: organization, transaction)
        }
        return .noContent
    }
}
