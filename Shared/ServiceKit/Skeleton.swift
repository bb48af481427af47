package import Foundation
package import Database
package import Encryption
package import HTTPTypes
package import Hummingbird
package import Logging
package import Models
package import NIOCore
package import ServiceLifecycle
package import Transport

// SKELETON: the agreed surface. The module's author replaces this file with real ones; signatures here hold.

// MARK: - Configuration

/// Reads the environment (`NAME`, or the file that `NAME_FILE` names) and collects every fault before it gives up.
package final class SettingsReader {
    package init(environment: [String: String]) { fatalError() }
    /// Missing without a default is a fault; a placeholder is returned so that reading goes on.
    package func string(_ name: String, default: String? = nil) -> String { fatalError() }
    package func optionalString(_ name: String) -> String? { fatalError() }
    package func secret(_ name: String) -> Secret { fatalError() }
    package func optionalSecret(_ name: String) -> Secret? { fatalError() }
    package func integer(_ name: String, default: Int?, in range: ClosedRange<Int>) -> Int { fatalError() }
    package func boolean(_ name: String, default: Bool) -> Bool { fatalError() }
    /// Seconds, fractions allowed.
    package func seconds(_ name: String, default: Double, in range: ClosedRange<Double>) -> Duration { fatalError() }
    package func choice<Value: RawRepresentable & CaseIterable>(_ name: String, default: Value) -> Value where Value.RawValue == String {
        fatalError()
    }
    /// An absolute http(s) URL without a trailing slash.
    package func url(_ name: String, default: String? = nil) -> String { fatalError() }
    package func fault(_ name: String, _ reason: String) { fatalError() }
    /// - Throws: `ConfigurationFaults`, which prints every variable with its fault.
    package func finish() throws { fatalError() }
}

/// A process's own variables. Each property's doc comment is the operator's documentation.
package protocol ServiceConfiguration: Sendable {
    init(_ reader: SettingsReader)
}

package enum HouseEnvironment: String, Sendable, CaseIterable { case production, development }

/// What every process reads: SWITCHBOARD_ENV, HOST, PORT (or <SERVICE>_PORT), DATABASE_URL, PUBLIC_URL, <PEER>_URLS, INTERNAL_KEY_<PEER>,
/// ENCRYPTION_KEY, ENCRYPTION_KEYS_PREVIOUS, OUTBOUND_ALLOW, TRUSTED_PROXIES, LOG_LEVEL.
package struct HouseConfiguration: Sendable {
    package var service: ServiceName
    package var environment: HouseEnvironment
    package var host: String
    package var port: Int
    package var databaseURL: Secret
    package var publicURL: String
    package var outboundGuard: OutboundGuard
    package init(_ reader: SettingsReader, service: ServiceName) { fatalError() }
}

// MARK: - Start

/// What a service is built from.
package struct House: Sendable {
    package let configuration: HouseConfiguration
    package let logger: Logger
    package let database: Postgres
    package let keyRing: KeyRing
    /// For the house's own services.
    package let inside: HTTPClient
    /// For URLs that tenants give: guarded.
    package let strangers: HTTPClient
    /// For operator-given base URLs of providers: same fair turns, no guard.
    package let providers: HTTPClient
    package let outbox: Outbox
    package let idempotency: Idempotency
    package func client(_ service: ServiceName) -> ServiceClient { fatalError() }
}

/// What a service adds to the house's own parts.
package struct Assembly: Sendable {
    package var mount: @Sendable (RouteTable) throws -> Void
    package var workers: [Worker]
    /// Checked by `/readyz` besides database and migrations.
    package init(workers: [Worker] = [], mount: @escaping @Sendable (RouteTable) throws -> Void) { fatalError() }

    package struct Worker: Sendable {
        package init(_ name: String, _ service: any Service) { fatalError() }
    }
}

package enum ServiceMain {
    /// The whole life of a process: `migrate` as first argument migrates and ends; otherwise configuration → logging → metrics → database →
    /// migration check → routes and workers → serve until SIGTERM or SIGINT → exit code.
    package static func run<Configuration: ServiceConfiguration>(
        _ service: ServiceName,
        migrations: [(file: String, bytes: [UInt8])],
        configuration: Configuration.Type,
        build: @escaping @Sendable (House, Configuration) async throws -> Assembly
    ) async -> Never { fatalError() }
}

// MARK: - Routes

/// Every request: id, trace, address of the client.
package struct BaseContext: RequestContext, RemoteAddressRequestContext {
    package var coreContext: CoreRequestContextStorage
    package var remoteAddress: SocketAddress?
    /// `X-Request-Id`, accepted or made.
    package var requestID: String
    package var traceParent: String?
    package init(source: ApplicationRequestContextSource) { fatalError() }
}

/// A request of an authenticated member or key. It cannot be made without one.
package struct CallerContext: Sendable {
    package let principal: Principal
    package let requestID: String
    package let clientAddress: String?
    package let parameters: Parameters
    package let route: Route
    package var organizationID: OrganizationID { self.principal.organizationID }
    /// A path parameter as an id; 404 where it is not one.
    package func id<Owner>(_ name: String = "id") throws -> ID<Owner> { fatalError() }
}

/// A request of another process of the house.
package struct PeerContext: Sendable {
    package let identity: InternalIdentity
    package let requestID: String
    package let parameters: Parameters
}

/// Mounts handlers by the route catalogue: access is checked here from the route, before the handler. In the gateway `authenticate` comes
/// from accounts; in the other services it is the signed internal identity.
package struct RouteTable {
    /// For `.member` and `.user` routes.
    package func mount(_ route: Route, _ handler: @escaping @Sendable (Request, CallerContext) async throws -> Response) { fatalError() }
    /// For `.anyone` routes.
    package func mountOpen(_ route: Route, _ handler: @escaping @Sendable (Request, BaseContext) async throws -> Response) { fatalError() }
    /// For `.service` routes.
    package func mountInternal(_ route: Route, _ handler: @escaping @Sendable (Request, PeerContext) async throws -> Response) {
        fatalError()
    }
    /// The gateway replaces how callers are known (bearer tokens and keys) and serves what it does not own itself.
    package func authenticate(_ authenticator: @escaping @Sendable (Request, BaseContext, Route) async throws -> Principal?) { fatalError() }
    package func fallback(_ handler: @escaping @Sendable (Request, BaseContext) async throws -> Response) { fatalError() }
}

extension Response {
    package static func json(_ value: some Encodable, status: HTTPResponse.Status = .ok) throws -> Response { fatalError() }
    package static func json(bytes: [UInt8], status: HTTPResponse.Status) -> Response { fatalError() }
    package static var noContent: Response { fatalError() }
}

extension Request {
    /// The body as JSON; 415, 413 or 400 problems otherwise. Default limit 1 MiB.
    package func jsonBody(limit: Int = 1 << 20) async throws -> JSONBody { fatalError() }
    /// Decodes an internal contract's body with `JSONCoding`.
    package func decodeBody<Value: Decodable>(_ type: Value.Type, limit: Int = 16 << 20) async throws -> Value { fatalError() }
    /// `?limit=&cursor=`, other parameters of these names allowed; unknown ones are faults.
    package func page(alsoAllowing names: Set<String> = []) throws -> PageRequest { fatalError() }
    package func query(_ name: String) -> String? { fatalError() }
}

/// A parsed JSON body and the bytes it came from (the idempotency fingerprint).
package struct JSONBody: Sendable {
    package let value: JSONValue
    package let bytes: [UInt8]
}

extension Page {
    /// `fetched` holds up to `limit + 1` items: the extra one only tells that there is more.
    package init(fetched: [Item], request: PageRequest, id: (Item) -> Int64) { fatalError() }
}

/// Reads a JSON object field by field and collects every fault, unknown fields among them. Readers return a harmless placeholder on a fault;
/// `finish()` throws one validation problem that names all.
package struct FieldReader {
    package init(_ value: JSONValue, at pointer: String = "") { fatalError() }
    package mutating func string(_ name: String, _ length: ClosedRange<Int> = 1...1000) -> String { fatalError() }
    package mutating func optionalString(_ name: String, _ length: ClosedRange<Int> = 0...1000) -> String? { fatalError() }
    package mutating func email(_ name: String) -> String { fatalError() }
    package mutating func optionalEmail(_ name: String) -> String? { fatalError() }
    package mutating func secret(_ name: String, _ length: ClosedRange<Int> = 1...1000) -> Secret { fatalError() }
    package mutating func integer(_ name: String, _ range: ClosedRange<Int64>, default: Int64? = nil) -> Int64 { fatalError() }
    package mutating func optionalInteger(_ name: String, _ range: ClosedRange<Int64>) -> Int64? { fatalError() }
    package mutating func boolean(_ name: String, default: Bool) -> Bool { fatalError() }
    package mutating func choice<Value: RawRepresentable & CaseIterable>(_ name: String, default: Value? = nil) -> Value
    where Value.RawValue == String { fatalError() }
    package mutating func optionalDate(_ name: String) -> Date? { fatalError() }
    package mutating func optionalObject(_ name: String) -> [String: JSONValue]? { fatalError() }
    package mutating func optionalArray(_ name: String, _ count: ClosedRange<Int> = 0...1000) -> [JSONValue]? { fatalError() }
    package mutating func optionalValue(_ name: String) -> JSONValue? { fatalError() }
    /// True where the field is there, null included.
    package func has(_ name: String) -> Bool { fatalError() }
    package mutating func fault(_ name: String, _ detail: String) { fatalError() }
    package mutating func finish() throws { fatalError() }
}

// MARK: - Idempotency

/// `Idempotency-Key` kept in the transaction of the effect (draft-ietf-httpapi-idempotency-key-header).
package struct Idempotency: Sendable {
    /// Runs `effect` in one transaction, once per key: a repeat answers what was stored; another body 422; still running 409.
    /// Without the header the effect just runs.
    package func perform(
        _ request: Request,
        _ context: CallerContext,
        body: [UInt8],
        effect: @escaping @Sendable (Transaction) throws -> StoredAnswer
    ) async throws -> Response { fatalError() }
}

package struct StoredAnswer: Sendable {
    package var status: Int
    package var body: [UInt8]
    package static func json(_ value: some Encodable, status: Int) throws -> StoredAnswer { fatalError() }
}

// MARK: - Outbox

/// Facts for other services, written with what they tell of and relayed after the commit.
package struct Outbox: Sendable {
    /// Answers the event's id (`evt_` + UUIDv7). Wakes the relay at commit.
    @discardableResult
    package func append(_ type: EventType, _ data: JSONValue, for organization: OrganizationID, in transaction: Transaction) throws -> String {
        fatalError()
    }
    package func audit(
        _ action: String,
        target: String,
        details: JSONValue = [:],
        by context: CallerContext,
        in transaction: Transaction
    ) throws { fatalError() }
}

package enum EventID {
    /// `prefix_` and a UUIDv7 (RFC 9562) as 32 hexadecimal digits.
    package static func make(_ prefix: String) -> String { fatalError() }
}

// MARK: - Work loops

/// Tells a loop that there may be work: in-process, and by a coalesced NOTIFY to the other replicas.
package final class WakeSignal: Sendable {
    package init(_ name: String, database: Postgres) { fatalError() }
    /// The NOTIFY channel, to be sent inside a transaction where the work is made.
    package var channel: String { fatalError() }
    package func wake() { fatalError() }
}

/// Claims work and does it, a bounded number at once, until graceful shutdown; then it waits for what is in hand (and cancels it when
/// the grace is over) and hands the rest back. A claim must be a fenced UPDATE … FOR UPDATE SKIP LOCKED.
package struct WorkLoop<Item: Sendable>: Service {
    package init(
        _ name: String,
        wake: WakeSignal,
        poll: Duration,
        concurrency: Int,
        logger: Logger,
        claim: @escaping @Sendable (_ limit: Int) async throws -> [Item],
        work: @escaping @Sendable (Item) async throws -> Void
    ) { fatalError() }
    package func run() async throws { fatalError() }
}

// MARK: - Calls between services

/// Calls one service of the house: picks a healthy replica, signs the identity, passes request id and traceparent on.
package struct ServiceClient: Sendable {
    /// JSON in, JSON out. Retried on another replica when surely not sent, and on failure where `isIdempotent`.
    package func call<Answer: Decodable>(
        _ route: Route,
        parameters: [String: String] = [:],
        query: [(String, String)] = [],
        body: (any Encodable & Sendable)? = nil,
        isIdempotent: Bool,
        as type: Answer.Type = Answer.self
    ) async throws -> Answer { fatalError() }

    /// The raw exchange: streams both ways. Used for NDJSON answers and by the gateway's proxy.
    package func send(
        _ method: HTTPRequest.Method,
        path: String,
        headers: HTTPFields,
        body: HTTPClientRequest.Body,
        principal: Principal?,
        publicURL: String?,
        clientAddress: String?,
        requestID: String,
        timeouts: Timeouts
    ) async throws -> HTTPClientResponse { fatalError() }
}
