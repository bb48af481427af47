import Database
import Encryption
import Foundation
import HTTPTypes
import Logging
import Models
import NIOCore
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestSupport
import Transport

@testable import Webhooks

/// The service's parts over a fresh database, its HTTP server on a port of its own, and a gateway to call it.
struct Fixture: Sendable {
    static let gatewayKey = Secret("a key of the gateway and webhooks, long enough")

    let database: TestDatabase
    let parts: WebhooksParts
    let client: HTTPClient
    let log: LogBook
    let port: Int

    struct Settings: Sendable {
        var schedule = "0,0.05,0.05"
        var timeout = Duration.seconds(2)
        var perSubscription = 4
        /// Networks that targets may be in.
        var allow = "127.0.0.0/8"
    }

    static let migrations = ServiceMain.sharedMigrations + WebhooksService.migrations

    static func running<T: Sendable>(
        _ settings: Settings = Settings(),
        _ body: @Sendable (Fixture) async throws -> T
    ) async throws -> T {
        try await withDatabase(.webhooks, migrations: self.migrations) { database in
            let log = LogBook()
            let outboundGuard = try OutboundGuard(allow: settings.allow)
            let strangers = HTTPClient(.outside(guard: outboundGuard), logger: log.logger)
            let client = HTTPClient(.inside(), logger: log.logger)
            let keyRing = try KeyRing(current: Secret("an encryption key for tests, long enough"), previous: [], development: true)
            let parts = try WebhooksParts(
                WebhooksParts.Dependencies(
                    database: database.runtime,
                    keyRing: keyRing,
                    strangers: strangers,
                    outboundGuard: outboundGuard,
                    idempotency: try Idempotency(database: database.runtime, keyRing: keyRing),
                    outbox: Outbox(service: .webhooks, database: database.runtime),
                    logger: log.logger
                ),
                WebhooksConfiguration(
                    timeout: settings.timeout,
                    schedule: RetrySchedule(parsing: settings.schedule) ?? .standard,
                    concurrencyPerSubscription: settings.perSubscription
                )
            )
            let result = try await serving(parts, log) { port in
                try await body(Fixture(database: database, parts: parts, client: client, log: log, port: port))
            }
            await strangers.shutdown(within: .zero)
            await client.shutdown(within: .zero)
            return result
        }
    }

    private static func serving<T: Sendable>(
        _ parts: WebhooksParts,
        _ log: LogBook,
        _ body: @Sendable (Int) async throws -> T
    ) async throws -> T {
        let table = RouteTable(service: .webhooks)
        try parts.assembly().mount(table)
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let server = HouseServer(
            table,
            service: .webhooks,
            identities: try IdentityKeys(service: .webhooks, keys: [.gateway: [gatewayKey], .campaigns: [gatewayKey]]),
            settings: HouseServer.Settings(host: "127.0.0.1", port: 0),
            operations: (metrics: MetricsRegistry(), readiness: []),
            logger: log.logger,
            onListening: { continuation.yield($0) }
        )
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            defer { group.cancelAll() }
            for await port in ports { return try await body(port) }
            throw TestFailure("the server did not start")
        }
    }

    /// Runs the delivery loop around a body.
    func delivering<T: Sendable>(_ body: @Sendable () async throws -> T) async throws -> T {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.parts.worker.loop(concurrency: 64, poll: .milliseconds(20)).run() }
            defer { group.cancelAll() }
            return try await body()
        }
    }
}

// MARK: - Calls through the gateway

struct Reply: Sendable {
    var status: Int
    var headers: HTTPFields
    var json: JSONValue

    var faultPointers: [String] { (self.json["errors"]?.arrayValue ?? []).compactMap { $0["pointer"]?.stringValue } }
}

extension Fixture {
    /// A call as the gateway would pass it on.
    func call(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: JSONValue? = nil,
        as role: Role = .admin,
        in organization: OrganizationID = OrganizationID(1),
        idempotencyKey: String? = nil
    ) async throws -> Reply {
        let principal = Principal(organizationID: organization, subject: .user(UserID(7)), role: role, scopes: nil)
        return try await self.send(method, path, body, from: .gateway, principal, idempotencyKey)
    }

    /// Another process's way to the deliveries.
    func queue(perSubscription: Int, lease: Double) -> DeliveryQueue {
        let database = self.database.runtime
        return DeliveryQueue(
            database: database,
            endpoints: EndpointCache(database: database, vault: self.parts.vault),
            caps: DeliveryQueue.Caps(perSubscription: perSubscription, perOrganization: 1000),
            lease: lease
        )
    }

    /// A call of another process, on nobody's behalf.
    func callAsPeer(_ method: HTTPRequest.Method, _ path: String, from caller: ServiceName) async throws -> Reply {
        try await self.send(method, path, nil, from: caller, nil, nil)
    }

    /// Events as the campaigns service's outbox would bring them.
    @discardableResult
    func bring(_ events: [EventBatch.Entry]) async throws -> Reply {
        let body = try JSONValue(parsing: try JSONCoding.encode(EventBatch(events: events)))
        return try await self.send(.post, "/internal/events", body, from: .campaigns, nil, nil)
    }

    private func send(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: JSONValue?,
        from caller: ServiceName,
        _ principal: Principal?,
        _ idempotencyKey: String?
    ) async throws -> Reply {
        let bytes = body?.serialized() ?? []
        let identities = try IdentityKeys(service: caller, keys: [.webhooks: [Self.gatewayKey]])
        let identity = InternalIdentity(
            caller: caller,
            callee: .webhooks,
            principal: principal,
            requestID: "test",
            expires: Int64(Date().timeIntervalSince1970) + 30
        )
        var headers = HTTPFields()
        headers[.switchboardIdentity] = try identities.sign(
            identity,
            for: SignedRequest(method: method.rawValue, path: path, body: .bytes(bytes))
        )
        if body != nil { headers[.contentType] = "application/json" }
        headers[.idempotencyKey] = idempotencyKey
        let response = try await self.client.send(
            try HTTPClientRequest(
                method,
                "http://127.0.0.1:\(self.port)\(path)",
                headers: headers,
                body: body == nil ? .none : .bytes(bytes)
            )
        )
        let answer = try await response.collect(upTo: 1 << 20)
        return Reply(
            status: response.head.status.code,
            headers: response.head.headerFields,
            json: answer.isEmpty ? .null : try JSONValue(parsing: answer)
        )
    }

    /// Subscribes and answers the subscription's id and secret.
    @discardableResult
    func subscribe(
        _ url: String,
        to events: [EventType] = [.campaignSent],
        in organization: OrganizationID = OrganizationID(1)
    ) async throws -> (id: Int64, secret: String) {
        let reply = try await self.call(
            .post,
            "/api/v1/zapier/webhooks",
            ["webhook_url": .string(url), "trigger_events": .array(events.map { .string($0.rawValue) })],
            in: organization
        )
        guard let id = reply.json["id"]?.integerValue, let secret = reply.json["secret"]?.stringValue else {
            throw TestFailure("not subscribed: \(reply.json.text)")
        }
        return (id, secret)
    }

    /// Deliveries as if they had been made.
    func settle(_ condition: Query, as state: String) async throws {
        try await self.database.runtime.write(
            """
            WITH done AS (DELETE FROM deliveries WHERE \(condition) RETURNING *)
            INSERT INTO settled_deliveries (organization_id, id, event_id, event_type, subscription_id, cause, state, attempts, created_at,
                settled_at)
            SELECT organization_id, id, event_id, event_type, subscription_id, cause, \(state), attempts, created_at, now() FROM done
            """
        )
    }

    func count(_ query: Query) async throws -> Int { try await self.database.runtime.readFirst(query, as: Int.self) ?? 0 }
}

extension EventBatch.Entry {
    /// - data: the catalogue's example where none is given.
    /// - adding: members of the data besides.
    static func make(
        _ type: String = EventType.campaignSent.rawValue,
        id: String = EventID.make("evt"),
        in organization: OrganizationID = OrganizationID(1),
        data: JSONValue? = nil,
        adding: [String: JSONValue] = [:]
    ) -> EventBatch.Entry {
        let example = EventType(rawValue: type).map { EventCatalogue.description(of: $0).example } ?? [:]
        let data = (data ?? example).objectValue?.merging(adding) { $1 }
        return EventBatch.Entry(
            organizationID: organization,
            event: Event(id: id, type: type, timestamp: Date(timeIntervalSince1970: 1_764_000_000.5), data: .object(data ?? [:]))
        )
    }
}

// MARK: - Log

/// Everything that was logged, for tests of what must and must not be there.
final class LogBook: Sendable {
    private let lines = Mutex<[String]>([])

    var text: String { self.lines.withLock { $0.joined(separator: "\n") } }

    var logger: Logger {
        Logger(label: "test", factory: { _ in Handler(book: self) })
    }

    private struct Handler: LogHandler {
        let book: LogBook
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { self.metadata[key] }
            set { self.metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let metadata = self.metadata.merging(event.metadata ?? [:]) { $1 }
            self.book.lines.withLock { $0.append("\(event.level) \(event.message) \(metadata)") }
        }
    }
}
