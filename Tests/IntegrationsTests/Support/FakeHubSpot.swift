import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Models
import NIOCore
import Synchronization
import TestSupport

/// HubSpot as far as syncing contacts goes: list, search, account; faults on demand.
final class FakeHubSpot: Sendable {
    static let token = "pat-na1-0000-fake"

    struct Contact: Sendable {
        var id: Int64
        var email: String
        /// Unix milliseconds.
        var modified: Int64
        var isArchived = false
        var firstName = "Ada"

        var json: JSONValue {
            let time = Timestamp.format(Date(timeIntervalSince1970: Double(self.modified) / 1000))
            return [
                "id": .string(String(self.id)), "archived": .bool(self.isArchived), "updatedAt": .string(time),
                "properties": [
                    "email": .string(self.email), "firstname": .string(self.firstName), "lastmodifieddate": .string(time),
                    "hs_object_id": .string(String(self.id)),
                ],
            ]
        }
    }

    enum Fault: Sendable {
        case status(Int, JSONValue)
        /// Half of an answer, then the connection is closed.
        case cut
        /// No answer until the connection is closed.
        case hang
    }

    struct State: Sendable {
        var contacts: [Int64: Contact] = [:]
        var pageSize = 100
        var token = FakeHubSpot.token
        /// Faults by the number of the call, the first is 1.
        var faults: [Int: Fault] = [:]
        var calls: [String] = []
    }

    private let state = Mutex(State())

    func change<T>(_ body: (inout State) -> T) -> T { self.state.withLock { body(&$0) } }

    func fill(_ count: Int, modified: Int64) {
        self.change { state in
            for id in 1...Int64(count) { state.contacts[id] = Contact(id: id, email: "c\(id)@example.org", modified: modified + id) }
        }
    }

    var router: Router<BasicRequestContext> {
        let router = Router()
        router.get("/account-info/v3/details") { request, _ in
            try await self.answer(request) { _ in ["portalId": 42, "accountType": "STANDARD", "timeZone": "Europe/Berlin"] }
        }
        router.get("/crm/v3/objects/contacts") { request, _ in
            let query = request.uri.queryParameters
            let after = query["after"].flatMap { Int64($0) } ?? 0
            let isArchived = query["archived"] == "true"
            let limit = query["limit"].flatMap { Int($0) } ?? 10
            return try await self.answer(request) { state in
                let found = state.contacts.values.filter { $0.isArchived == isArchived && $0.id > after }.sorted { $0.id < $1.id }
                let page = Array(found.prefix(min(limit, state.pageSize)))
                return Self.page(page, next: found.count > page.count ? page.last.map { String($0.id) } : nil)
            }
        }
        router.post("/crm/v3/objects/contacts/search") { request, _ in
            let bytes = try await request.body.collect(upTo: 1 << 20)
            let search = try JSONValue(parsing: Array(buffer: bytes))
            return try await self.answer(request) { Self.search(search, $0) }
        }
        return router
    }

    private static func page(_ contacts: [Contact], next: String?) -> JSONValue {
        var members: [String: JSONValue] = ["results": .array(contacts.map(\.json))]
        if let next { members["paging"] = ["next": ["after": .string(next)]] }
        return .object(members)
    }

    private static func search(_ search: JSONValue, _ state: State) -> JSONValue {
        let filters = search["filterGroups"]?.arrayValue?.first?["filters"]?.arrayValue ?? []
        func matches(_ contact: Contact, _ filter: JSONValue) -> Bool {
            let value = filter["value"]?.stringValue.flatMap { Int64($0) } ?? 0
            let own = filter["propertyName"] == "hs_object_id" ? contact.id : contact.modified
            return switch filter["operator"]?.stringValue {
            case "GTE": own >= value
            case "GT": own > value
            case "EQ": own == value
            default: false
            }
        }
        let byID = search["sorts"]?.arrayValue?.first?["propertyName"] == "hs_object_id"
        let found = state.contacts.values.filter { contact in !contact.isArchived && filters.allSatisfy { matches(contact, $0) } }
            .sorted { byID ? $0.id < $1.id : ($0.modified, $0.id) < ($1.modified, $1.id) }
        let page = Array(found.prefix(min(Int(search["limit"]?.integerValue ?? 10), state.pageSize)))
        return Self.page(page, next: found.count > page.count ? String(page.count) : nil)
    }

    private func answer(_ request: Request, _ body: (State) -> JSONValue) async throws -> Response {
        let (fault, json) = self.change { state -> (Fault?, JSONValue) in
            state.calls.append("\(request.method.rawValue) \(request.uri.path)")
            guard request.headers[.authorization] == "Bearer \(state.token)" else {
                return (.status(401, ["category": "EXPIRED_AUTHENTICATION", "message": "The token is expired"]), .null)
            }
            return (state.faults.removeValue(forKey: state.calls.count), body(state))
        }
        switch fault {
        case .status(let code, let problem):
            return Response(status: .init(code: code), body: .init(byteBuffer: ByteBuffer(bytes: problem.serialized())))
        case .cut:
            return Response(
                status: .ok,
                body: .init(contentLength: 10_000) { writer in
                    try await writer.write(ByteBuffer(string: "{"))
                    throw TestFailure("cut")
                }
            )
        case .hang:
            try await Task.sleep(for: .seconds(600))
            return Response(status: .ok)
        case nil:
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(bytes: json.serialized())))
        }
    }
}

/// Runs a server on a free port for the time of the body.
func withServer<T: Sendable>(
    _ router: Router<BasicRequestContext>,
    _ body: @escaping @Sendable (_ url: String) async throws -> T
) async throws -> T {
    let (ports, port) = AsyncStream<Int>.makeStream()
    let application = Application(
        router: router,
        configuration: .init(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { channel in port.yield(channel.localAddress?.port ?? 0) },
        logger: TestLog.quiet
    )
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await application.run() }
        defer { group.cancelAll() }
        var iterator = ports.makeAsyncIterator()
        guard let number = await iterator.next() else { throw TestFailure("the server did not start") }
        return try await body("http://127.0.0.1:\(number)")
    }
}
