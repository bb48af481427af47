import Database
import Foundation
import HTTPTypes
import Hummingbird
import Logging
import Models
import NIOCore
import ServiceKit
import ServiceLifecycle
import Synchronization
import TestSupport

@testable import Gateway

/// One or more gateways on one fresh database, served on real sockets.
struct TestGateway: Sendable {
    let database: TestDatabase
    let replicas: [TestDoor]
    let gateways: [Gateway]

    var door: TestDoor { self.replicas[0] }

    struct Settings: Sendable {
        var replicas = 1
        /// Where the other services are; port 1 refuses connections.
        var upstream = "http://127.0.0.1:1"
        var variables: [String: String] = [:]
        /// Cache and revocation feed; without them every look-up asks the database.
        var runsWorkers = false
        /// What the server is told beside the environment: shorter limits of connections.
        var server: @Sendable (inout HouseServer.Settings) -> Void = { _ in }
    }

    static let internalKey = "an internal key that is long enough for a test"

    static func environment(_ database: TestDatabase, _ settings: Settings) -> [String: String] {
        var environment = [
            "SWITCHBOARD_ENV": "development",
            "DATABASE_URL": database.urls.runtime.reveal(),
            "PUBLIC_URL": "https://gateway.test",
            "ENCRYPTION_KEY": Data((0..<32).map { UInt8($0 &* 7 &+ 3) }).base64EncodedString(),
        ]
        for peer in ServiceName.allCases where peer != .gateway {
            environment["\(peer.rawValue.uppercased())_URLS"] = settings.upstream
            environment["INTERNAL_KEY_\(peer.rawValue.uppercased())"] = Self.internalKey
        }
        return environment.merging(settings.variables) { _, own in own }
    }
}

func withGateway(_ settings: TestGateway.Settings = .init(), _ body: @Sendable (TestGateway) async throws -> Void) async throws {
    let migrations = ServiceMain.sharedMigrations + GatewayService.migrations
    await TestTurns.shared.waitForTurn()
    defer { TestTurns.shared.pass() }
    try await withDatabase(.gateway, migrations: migrations) { database in
        let replicas = try (0..<settings.replicas).map { _ in try TestReplica(database, settings) }
        try await serving(replicas.map { $0.services(runsWorkers: settings.runsWorkers) }) {
            var doors: [TestDoor] = []
            for replica in replicas { doors.append(TestDoor(port: try await replica.port())) }
            try await body(TestGateway(database: database, replicas: doors, gateways: replicas.map(\.gateway)))
        }
        for replica in replicas { await replica.house.shutdownClients(within: .seconds(1)) }
    }
}

/// Runs groups of services around `body`, and stops each as SIGTERM would.
private func serving(_ services: [[any Service]], _ body: @Sendable () async throws -> Void) async throws {
    let groups = services.map { services in
        ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: services.map { .init(service: $0, serviceName: "part") },
                logger: TestLog.quiet
            )
        )
    }
    try await withThrowingTaskGroup(of: Void.self) { tasks in
        for group in groups { tasks.addTask { try await group.run() } }
        let result: Result<Void, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        for group in groups { await group.triggerGracefulShutdown() }
        try await tasks.waitForAll()
        try result.get()
    }
}

/// Gateways of a few tests at a time: each has its connections to the one Postgres of the run.
private final class TestTurns: Sendable {
    static let shared = TestTurns()

    private struct State {
        var free = 3
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    func waitForTurn() async {
        await withCheckedContinuation { continuation in
            let isFree = self.state.withLock { state in
                guard state.free > 0 else {
                    state.waiting.append(continuation)
                    return false
                }
                state.free -= 1
                return true
            }
            if isFree { continuation.resume() }
        }
    }

    func pass() {
        let next: CheckedContinuation<Void, Never>? = self.state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.free += 1
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume()
    }
}

/// One gateway with a database pool of its own, as a process has it.
private struct TestReplica: Sendable {
    let house: House
    let gateway: Gateway
    private let server: HouseServer
    private let ports: AsyncStream<Int>

    init(_ database: TestDatabase, _ settings: TestGateway.Settings) throws {
        let reader = SettingsReader(environment: TestGateway.environment(database, settings))
        let (configuration, own, keyRing) = try ServiceMain.configure(.gateway, GatewayConfiguration.self, reader)
        let postgres = Postgres(TestDatabase.configuration(.gateway, database.urls.runtime), logger: TestLog.quiet)
        self.house = try House(configuration, keyRing: keyRing, database: postgres, logger: TestLog.quiet)
        self.gateway = try Gateway(self.house, own)
        let table = RouteTable(service: .gateway)
        let assembly = self.gateway.assembly()
        try assembly.mount(table)
        let (ports, announce) = AsyncStream<Int>.makeStream()
        self.ports = ports
        var server = HouseServer.Settings(host: "127.0.0.1", port: 0)
        server.trustedProxies = configuration.trustedProxies
        server.layer = assembly.layer
        settings.server(&server)
        self.server = HouseServer(
            table,
            service: .gateway,
            identities: self.house.identities,
            settings: server,
            operations: (metrics: self.house.metrics, readiness: []),
            logger: TestLog.quiet,
            onListening: { announce.yield($0) }
        )
    }

    /// In the order of a process: what stands last stops first.
    func services(runsWorkers: Bool) -> [any Service] {
        [self.house.database] + (runsWorkers ? self.gateway.workers.map(\.service) : []) + [self.server]
    }

    func port() async throws -> Int {
        for await port in self.ports { return port }
        throw TestFailure("the gateway did not listen")
    }
}

/// Stands in for the services behind the gateway: keeps what it received and answers as it is told.
final class FakeUpstream: Sendable {
    struct Received: Sendable {
        var method: String
        var path: String
        var headers: HTTPFields
        var body: [UInt8]
    }

    private let requests = Mutex<[Received]>([])
    private let answer: @Sendable (Received) async throws -> Response

    init(_ answer: @escaping @Sendable (Received) async throws -> Response) { self.answer = answer }

    var received: [Received] { self.requests.withLock { $0 } }

    fileprivate func respond(_ request: Request) async throws -> Response {
        let body = try await request.body.collect(upTo: 64 << 20)
        let received = Received(
            method: request.method.rawValue,
            path: request.head.path ?? "",
            headers: request.headers,
            body: Array(body.readableBytesView)
        )
        self.requests.withLock { $0.append(received) }
        return try await self.answer(received)
    }
}

func withUpstream(_ upstream: FakeUpstream, _ body: @Sendable (String) async throws -> Void) async throws {
    let (ports, announce) = AsyncStream<Int>.makeStream()
    let application = Application(
        responder: CallbackResponder<BasicRequestContext> { request, _ in try await upstream.respond(request) },
        configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
        onServerRunning: { announce.yield($0.localAddress?.port ?? 0) },
        logger: TestLog.quiet
    )
    try await serving([[application]]) {
        for await port in ports { return try await body("http://127.0.0.1:\(port)") }
    }
}
