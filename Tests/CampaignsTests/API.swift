import Encryption
import HTTPTypes
import Models
import ServiceKit
import TestSupport
import Transport

@testable import Campaigns

/// The service's API over a real socket, as the gateway would call it for a member.
struct API: Sendable {
    struct Answer: Sendable {
        var status: Int
        var body: JSONValue
    }

    let client: ServiceClient
    var principal: Principal

    func acting(as role: Role? = nil, in organization: OrganizationID? = nil) -> API {
        var api = self
        api.principal.role = role ?? api.principal.role
        api.principal.organizationID = organization ?? api.principal.organizationID
        return api
    }

    func call(_ method: HTTPRequest.Method, _ path: String, _ body: JSONValue? = nil, key: String? = nil) async throws -> Answer {
        var request = OutgoingRequest(method, path, requestID: "req_test", timeouts: Timeouts())
        if let body {
            request.headers[.contentType] = "application/json"
            request.body = .bytes(body.serialized())
        }
        request.headers[.idempotencyKey] = key.map { "\"\($0)\"" }
        request.principal = self.principal
        let response = try await self.client.send(request)
        let bytes = try await response.collect(upTo: 1 << 20)
        return Answer(status: response.head.status.code, body: bytes.isEmpty ? .null : try JSONValue(parsing: bytes))
    }
}

extension Harness {
    func mount(on table: RouteTable) throws {
        let ring = try KeyRing(current: Secret("a passphrase of tests that is long enough to be taken"), previous: [], development: true)
        let wakes = SendingWakes(
            prepare: WakeSignal("test_prepare", database: self.database),
            dispatch: WakeSignal("test_dispatch", database: self.database)
        )
        ContactRoutes(contacts: ContactStore(database: self.database)).mount(on: table)
        FeedRoutes(backlog: FeedBacklog(), wake: WakeSignal("test_feed", database: self.database)).mount(on: table)
        AnalyticsRoutes(analytics: AnalyticsStore(database: self.database)).mount(on: table)
        MessageRoutes(messages: MessageStore(database: self.database), campaigns: self.campaigns).mount(on: table)
        CampaignRoutes(
            campaigns: self.campaigns,
            database: self.database,
            idempotency: try Idempotency(database: self.database, keyRing: ring),
            outbox: self.outbox,
            wakes: wakes,
            senders: SenderCheck { id, _ in
                switch id {
                case 404: nil
                case 405: Sender(provider: "hubspot", channels: [])
                default: Sender(provider: "smtp", channels: ["email"])
                }
            }
        ).mount(on: table)
    }
}

/// Serves the routes on a free port; the caller is the owner of organization 1.
func withAPI(_ body: @escaping @Sendable (API, Harness) async throws -> Void) async throws {
    try await withHarness { harness in
        let secret = Secret("a key of gateway and campaigns in tests")
        let table = RouteTable(service: .campaigns)
        try harness.mount(on: table)
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let server = HouseServer(
            table,
            service: .campaigns,
            identities: try IdentityKeys(service: .campaigns, keys: [.gateway: [secret]]),
            settings: .init(host: "127.0.0.1", port: 0),
            operations: (metrics: MetricsRegistry(), readiness: []),
            logger: TestLog.quiet,
            onListening: { port.yield($0) }
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            defer { group.cancelAll() }
            for await port in ports.prefix(1) {
                let http = HTTPClient(.inside(), logger: TestLog.quiet)
                let client = ServiceClient(
                    from: .gateway,
                    to: .campaigns,
                    replicas: ["http://127.0.0.1:\(port)"],
                    identities: try IdentityKeys(service: .gateway, keys: [.campaigns: [secret]]),
                    client: http
                )
                let owner = Principal(organizationID: 1, subject: .user(UserID(7)), role: .owner, scopes: nil)
                let result: Result<Void, any Error>
                do { result = .success(try await body(API(client: client, principal: owner), harness)) } catch { result = .failure(error) }
                await http.shutdown(within: .zero)
                try result.get()
            }
        }
    }
}
