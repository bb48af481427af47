import Hummingbird
import Models
import ServiceKit

struct ContactRoutes: Sendable {
    let contacts: ContactStore

    func mount(on table: RouteTable) {
        table.mount(.listContacts) { request, context in try await self.list(request, context) }
        table.mount(.getContact) { _, context in try await self.show(context) }
    }

    private func list(_ request: Request, _ context: CallerContext) async throws -> Response {
        let page = try request.page(alsoAllowing: ["email"])
        var mailbox: Mailbox?
        if let email = request.query("email") {
            guard let parsed = Mailbox(email) else {
                throw Problem.validation([.init(pointer: "?email", detail: "This is not an email address.")])
            }
            mailbox = parsed
        }
        let fetched = try await self.contacts.list(page, mailbox: mailbox, in: context.organizationID)
        return try .json(Page(fetched: fetched, request: page) { $0.id.rawValue })
    }

    private func show(_ context: CallerContext) async throws -> Response {
        guard let contact = try await self.contacts.find(try context.id(), in: context.organizationID) else { throw Problem.notFound }
        return try .json(contact)
    }
}
