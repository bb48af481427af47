import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Models
import ServiceKit
import Synchronization
import TestSupport
import Transport

/// One secret for each pair of services.
enum TestKeys {
    static func secret(_ one: ServiceName, _ other: ServiceName) -> Secret {
        let pair = [one.rawValue, other.rawValue].sorted().joined(separator: "-")
        return Secret("a secret between \(pair), long enough to be one")
    }

    static func identities(_ service: ServiceName) throws -> IdentityKeys {
        let peers = ServiceName.allCases.filter { $0 != service }
        return try IdentityKeys(
            service: service,
            keys: Dictionary(uniqueKeysWithValues: peers.map { ($0, [self.secret(service, $0)]) })
        )
    }
}

extension Principal {
    static func user(_ role: Role, organization: Int64 = 7) -> Principal {
        Principal(organizationID: OrganizationID(organization), subject: .user(UserID(12)), role: role, scopes: nil)
    }

    static func key(_ role: Role, _ scopes: Set<Scope>) -> Principal {
        Principal(organizationID: OrganizationID(7), subject: .key(APIKeyID(3), maker: UserID(12)), role: role, scopes: scopes)
    }
}

struct Answer: Sendable {
    var status: Int
    var headers: HTTPFields
    var bytes: [UInt8]

    var json: JSONValue? { try? JSONValue(parsing: self.bytes) }
    var text: String { String(decoding: self.bytes, as: UTF8.self) }
}

/// A server of the house on a free port.
struct TestServer: Sendable {
    let service: ServiceName
    let url: String
    let client: HTTPClient

    func request(
        _ method: HTTPRequest.Method = .get,
        _ path: String,
        headers: HTTPFields = [:],
        body: HTTPClientRequest.Body = .none
    ) async throws -> Answer {
        let response = try await self.client.send(try HTTPClientRequest(method, self.url + path, headers: headers, body: body))
        return Answer(
            status: response.head.status.code,
            headers: response.head.headerFields,
            bytes: try await response.collect(upTo: 16 << 20)
        )
    }

    /// As another process of the house would send it.
    func request(
        from caller: ServiceName,
        as principal: Principal? = nil,
        _ method: HTTPRequest.Method = .get,
        _ path: String,
        json: JSONValue? = nil
    ) async throws -> Answer {
        let body = json?.serialized()
        let identity = InternalIdentity(
            caller: caller,
            callee: self.service,
            principal: principal,
            requestID: "test",
            expires: Int64(Date().timeIntervalSince1970) + 30
        )
        var headers: HTTPFields = body == nil ? [:] : [.contentType: "application/json"]
        headers[.switchboardIdentity] = try TestKeys.identities(caller).sign(
            identity,
            for: SignedRequest(method: method.rawValue, path: path, body: .bytes(body ?? []))
        )
        return try await self.request(method, path, headers: headers, body: body.map { .bytes($0) } ?? .none)
    }
}

/// Runs a server around `body`.
func withServer<Result: Sendable>(
    _ service: ServiceName,
    logger: Logger = TestLog.quiet,
    metrics: MetricsRegistry = MetricsRegistry(),
    readiness: [ReadinessCheck] = [],
    metricsAccess: MetricsAccess = .open,
    mount: (RouteTable) throws -> Void,
    _ body: @escaping @Sendable (TestServer) async throws -> Result
) async throws -> Result {
    let table = RouteTable(service: service)
    try mount(table)
    let (ports, found) = AsyncStream<Int>.makeStream()
    var settings = HouseServer.Settings(host: "127.0.0.1", port: 0)
    settings.metricsAccess = metricsAccess
    let server = HouseServer(
        table,
        service: service,
        identities: try TestKeys.identities(service),
        settings: settings,
        operations: (metrics: metrics, readiness: readiness),
        logger: logger,
        onListening: { found.yield($0) }
    )
    let client = HTTPClient(.outside(guard: nil), logger: TestLog.quiet)
    let result = try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await server.run() }
        defer { group.cancelAll() }
        var iterator = ports.makeAsyncIterator()
        guard let port = await iterator.next() else { throw TestFailure("the server did not start") }
        return try await body(TestServer(service: service, url: "http://127.0.0.1:\(port)", client: client))
    }
    await client.shutdown(within: .seconds(1))
    return result
}

/// Log lines as they were written.
final class LogLines: Sendable {
    private let lines = Mutex<[JSONValue]>([])

    var all: [JSONValue] { self.lines.withLock { $0 } }

    func logger(_ service: ServiceName = .campaigns, level: Logger.Level = .info) -> Logger {
        let sink = LogSink { line in
            guard let value = try? JSONValue(parsing: line) else { return }
            self.lines.withLock { $0.append(value) }
        }
        return Logger(label: "test", factory: { JSONLogHandler(label: $0, service: service, level: level, sink: sink) })
    }
}

/// Asks until the answer is yes; a test that waits longer than this has failed.
func eventually(within limit: Duration = .seconds(20), _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(10))
    }
    throw TestFailure("the condition did not come true")
}
