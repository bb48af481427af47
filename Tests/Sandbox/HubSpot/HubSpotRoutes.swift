import Foundation
import HTTPTypes
import Hummingbird
import Models

/// The paths of HubSpot that read.
struct HubSpotRoutes: Sendable {
    static let portalID = 147_893_286

    let hubSpot: HubSpot

    func mount(on router: Router<SandboxContext>) {
        router.get("account-info/v3/details") { request, _ in
            try await self.hubSpot.serve(request) { .json(Self.details) }
        }
        let contacts = router.group("crm/v3/objects/contacts")
        contacts.get { request, _ in try await self.hubSpot.serve(request) { try self.list(request) } }
        contacts.post("search") { request, _ in
            try await self.hubSpot.serve(request, isSearch: true) { try await self.search(request) }
        }
        contacts.get("{id}") { request, context in
            try await self.hubSpot.serve(request) { try self.show(request, try context.parameters.require("id")) }
        }
        contacts.post("batch/read") { request, _ in try await self.hubSpot.serve(request) { try await self.batchRead(request) } }
        HubSpotWriteRoutes(hubSpot: self.hubSpot).mount(on: contacts)
    }

    private static let details: JSONValue = [
        "portalId": .integer(Int64(portalID)), "accountType": "STANDARD", "timeZone": "Europe/Berlin", "companyCurrency": "EUR",
        "additionalCurrencies": [], "utcOffset": "+01:00", "utcOffsetMilliseconds": 3_600_000, "uiDomain": "app-eu1.hubspot.com",
        "dataHostingLocation": "eu1",
    ]

    /// `properties` comes as a list with commas, or several times.
    static func properties(_ request: Request) -> [String] {
        request.uri.queryParameters.getAll("properties").flatMap { $0.split(separator: ",").map { String($0) } }
    }

    private func list(_ request: Request) throws -> Response {
        let limit = try self.whole(request, "limit", 1...100) ?? 10
        let from = try self.whole(request, "after", 0...Int.max).map { Int64($0) } ?? 0
        let wantsArchived = request.query("archived")?.lowercased() == "true"
        let properties = Self.properties(request)
        let (contacts, next) = self.hubSpot.read { account in
            wantsArchived ? Self.archived(account, from: from, limit) : Self.page(account, from: from, limit)
        }
        var members: [String: JSONValue] = ["results": .array(contacts.map { $0.json(properties) })]
        if let next {
            let link = "https://api.hubapi.com/crm/v3/objects/contacts?limit=\(limit)&after=\(next)"
            members["paging"] = ["next": ["after": .string(String(next)), "link": .string(link)]]
        }
        return .json(.object(members))
    }

    /// Contacts from an id on, and the id behind the last one where there are more.
    private static func page(_ account: ContactAccount, from: Int64, _ limit: Int) -> ([Contact], Int64?) {
        var contacts: [Contact] = []
        var id = max(from, ContactBook.firstID)
        while id < account.endID {
            if let contact = account.find(id), !contact.isArchived {
                if contacts.count == limit { return (contacts, (contacts.last?.id ?? 0) + 1) }
                contacts.append(contact)
            }
            id += 1
        }
        return (contacts, nil)
    }

    private static func archived(_ account: ContactAccount, from: Int64, _ limit: Int) -> ([Contact], Int64?) {
        let all = account.changed.values.filter { $0.isArchived && $0.id >= from }.sorted { $0.id < $1.id }
        let contacts = Array(all.prefix(limit))
        return (contacts, all.count > limit ? contacts.last.map { $0.id + 1 } : nil)
    }

    private func whole(_ request: Request, _ name: String, _ range: ClosedRange<Int>) throws -> Int? {
        guard let text = request.query(name) else { return nil }
        guard let number = Int(text), range.contains(number) else {
            throw HubSpotError.validation("\(name) must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return number
    }

    private func search(_ request: Request) async throws -> Response {
        let body = try await request.json() ?? .null
        let search = try ContactSearch(body)
        let found = self.hubSpot.read { search.run(on: $0) }
        let properties = body["properties"]?.arrayValue?.compactMap(\.stringValue) ?? []
        var members: [String: JSONValue] = [
            "total": .integer(Int64(found.total)), "results": .array(found.contacts.map { $0.json(properties) }),
        ]
        let end = search.offset + found.contacts.count
        if end < found.total, !found.contacts.isEmpty { members["paging"] = ["next": ["after": .string(String(end))]] }
        return .json(.object(members))
    }

    private func show(_ request: Request, _ key: String) throws -> Response {
        let contact = try self.hubSpot.read { try $0.require(key, by: request.query("idProperty")) }
        guard contact.isArchived == (request.query("archived")?.lowercased() == "true") else { throw HubSpotError.notFound }
        return .json(contact.json(Self.properties(request)))
    }

    private func batchRead(_ request: Request) async throws -> Response {
        let started = Clock.now()
        guard let body = try await request.json(), let inputs = body["inputs"]?.arrayValue else { throw HubSpotError.invalidJSON }
        guard inputs.count <= 100 else { throw HubSpotError.validation("The maximum number of inputs is 100.") }
        let keys = inputs.compactMap { $0["id"]?.stringValue ?? $0["id"]?.integerValue.map { String($0) } }
        let properties = body["properties"]?.arrayValue?.compactMap(\.stringValue) ?? []
        let found = self.hubSpot.read { account in
            keys.map { key in (key, try? account.require(key, by: body["idProperty"]?.stringValue)) }
        }
        let missing = found.filter { $0.1?.isArchived ?? true }.map(\.0)
        var members: [String: JSONValue] = [
            "status": "COMPLETE",
            "results": .array(found.compactMap { $0.1 }.filter { !$0.isArchived }.map { $0.json(properties) }),
            "startedAt": .string(Clock.text(started)),
            "completedAt": .string(Clock.text(Clock.now())),
        ]
        guard !missing.isEmpty else { return .json(.object(members)) }
        members["numErrors"] = 1
        members["errors"] = [
            [
                "status": "error", "category": "OBJECT_NOT_FOUND", "message": "Could not get some CONTACT objects, they may be deleted",
                "context": ["ids": .array(missing.map(JSONValue.string))],
            ]
        ]
        return .json(.object(members), status: HTTPResponse.Status(code: 207))
    }
}

extension ContactAccount {
    /// - key: an id, or an address where the id property is `email`.
    func require(_ key: String, by property: String?) throws(HubSpotError) -> Contact {
        let key = key.removingPercentEncoding ?? key
        switch property {
        case nil, "", "hs_object_id":
            guard let contact = Int64(key).flatMap(self.find) else { throw .notFound }
            return contact
        case "email":
            guard let contact = self.find(email: key) else { throw .notFound }
            return contact
        default: throw .validation("\(property ?? "") is not a unique property of contacts")
        }
    }
}

extension HubSpot {
    func mount(on router: Router<SandboxContext>) { HubSpotRoutes(hubSpot: self).mount(on: router) }
}
