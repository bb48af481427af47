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
    try await withDatabase(.gateway, migrations: migrations) { database in
        let replicas = try (0..<settings.replicas).map { _ in try TestReplica(database, settings) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            var doors: [TestDoor] = []
            for replica in replicas {
                replica.start(in: &group, runsWorkers: settings.runsWorkers)
                doors.append(TestDoor(port: try await replica.port()))
            }
            let gateway = TestGateway(database: database, replicas: doors, gateways: replicas.map(\.gateway))
            do {
                try await body(gateway)
            } catch {
                group.cancelAll()
                throw error
            }
            group.cancelAll()
            while let result = await group.nextResult() { _ = result }
        }
        for replica in replicas { await replica.house.shutdownClients(within: .seconds(1)) }
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
        try self.gateway.assembly().mount(table)
        let (ports, announce) = AsyncStream<Int>.makeStream()
        self.ports = ports
        var server = HouseServer.Settings(host: "127.0.0.1", port: 0)
        server.trustedProxies = configuration.trustedProxies
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

    func start(in group: inout ThrowingTaskGroup<Void, any Error>, runsWorkers: Bool) {
        group.addTask { try await self.house.database.run() }
        group.addTask { try await self.server.run() }
        guard runsWorkers else { return }
        for worker in self.gateway.workers { group.addTask { try await worker.service.run() } }
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
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await application.run() }
        defer { group.cancelAll() }
        for await port in ports { return try await body("http://127.0.0.1:\(port)") }
    }
}
