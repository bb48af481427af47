import Hummingbird
import Models

/// The paths of HubSpot that write: tests change data through them, as a user of the CRM would.
struct HubSpotWriteRoutes: Sendable {
    let hubSpot: HubSpot

    func mount(on contacts: RouterGroup<SandboxContext>) {
        contacts.post { request, _ in try await self.hubSpot.serve(request) { try await self.create(request) } }
        contacts.patch("{id}") { request, context in
            try await self.hubSpot.serve(request) { try await self.update(request, try context.parameters.require("id")) }
        }
        contacts.delete("{id}") { request, context in
            try await self.hubSpot.serve(request) { try self.archive(try context.parameters.require("id")) }
        }
    }

    private func create(_ request: Request) async throws -> Response {
        let properties = try Self.properties(try await request.json())
        let contact = try self.hubSpot.change { account in
            if let email = properties["email"], let known = account.find(email: email) { throw HubSpotError.exists(known.id) }
            return account.create(properties.filter { !$0.value.isEmpty }, now: Clock.now())
        }
        return .json(contact.json(Array(properties.keys)), status: .created)
    }

    private func update(_ request: Request, _ key: String) async throws -> Response {
        let property = request.query("idProperty")
        let properties = try Self.properties(try await request.json())
        let contact = try self.hubSpot.change { account in
            let contact = try account.require(key, by: property)
            guard !contact.isArchived else { throw HubSpotError.notFound }
            if let email = properties["email"], let known = account.find(email: email), known.id != contact.id {
                throw HubSpotError.exists(known.id)
            }
            return account.update(contact, properties, now: Clock.now())
        }
        return .json(contact.json(Array(properties.keys)))
    }

    /// 204 also for what is archived already, as HubSpot has it.
    private func archive(_ key: String) throws -> Response {
        try self.hubSpot.change { account in
            let contact = try account.require(key, by: nil)
            if !contact.isArchived { account.archive(contact, now: Clock.now()) }
        }
        return Response(status: .noContent)
    }

    private static func properties(_ body: JSONValue?) throws(HubSpotError) -> [String: String] {
        guard let members = body?["properties"]?.objectValue else { throw .invalidJSON }
        var properties: [String: String] = [:]
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            guard ContactAccount.knownProperties.contains(name) else { throw .unknownProperty(name) }
            guard !ContactAccount.readOnlyProperties.contains(name) else {
                throw .validation("Property values were not valid: \"\(name)\" is a read only property")
            }
            guard let text = value == .null ? "" : value.stringValue ?? value.integerValue.map({ String($0) }) else { throw .invalidJSON }
            if name == "email", !text.isEmpty, !Self.isAddress(text) {
                throw HubSpotError(
                    status: 400,
                    category: "VALIDATION_ERROR",
                    message: "Property values were not valid: [{\"isValid\":false,\"message\":\"Email address \(text) is invalid\","
                        + "\"error\":\"INVALID_EMAIL\",\"name\":\"email\"}]"
                )
            }
            properties[name] = text
        }
        return properties
    }

    private static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && !parts[0].isEmpty && parts[1].contains(".") && !text.contains(" ")
    }
}
