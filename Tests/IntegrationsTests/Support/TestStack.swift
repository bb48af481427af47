import Database
import Encryption
import HTTPTypes
import Logging
import Models
import ServiceKit
import Synchronization
import TestSupport
import Transport

@testable import Integrations

/// The integrations service on a database of its own, with its server on a free port; workers do not run by themselves.
struct TestStack: Sendable {
    static let organization = OrganizationID(rawValue: 7)
    static let other = OrganizationID(rawValue: 8)

    let database: TestDatabase
    let assembly: IntegrationsAssembly
    let nudges: Nudges
    /// What calls as the gateway and as campaigns.
    let gateway: ServiceClient
    let campaigns: ServiceClient

    final class Nudges: Sendable {
        private let told = Mutex<[OrganizationID]>([])
        var all: [OrganizationID] { self.told.withLock { $0 } }
        func add(_ organization: OrganizationID) { self.told.withLock { $0.append(organization) } }
    }

    /// Where the providers are in this test.
    struct Settings: Sendable {
        var hubSpot = "http://127.0.0.1:9"
        var sendGrid = "http://127.0.0.1:9"
        var sendLease = 30
        var smtpReplyTimeout = 10
        var smtpConnections = 8
    }

    struct Answer: Sendable {
        var status: Int
        var json: JSONValue
        var text: String
    }

    func call(
        _ method: HTTPRequest.Method,
        _ path: String,
        _ body: JSONValue? = nil,
        as role: Role = .admin,
        in organization: OrganizationID = Self.organization,
        headers: HTTPFields = [:]
    ) async throws -> Answer {
        let principal = Principal(organizationID: organization, subject: .user(UserID(rawValue: 3)), role: role, scopes: nil)
        var request = OutgoingRequest(method, path, requestID: "req_test", timeouts: Timeouts())
        request.headers = headers
        if let body {
            request.headers[.contentType] = "application/json"
            request.body = .bytes(body.serialized())
        }
        request.principal = principal
        request.clientAddress = "192.0.2.1"
        let response = try await self.gateway.send(request)
        let bytes = try await response.collect(upTo: 1 << 24)
        return Answer(
            status: response.head.status.code,
            json: (try? JSONValue(parsing: bytes)) ?? .null,
            text: String(decoding: bytes, as: UTF8.self)
        )
    }

    /// Creates an integration through the API and answers its id.
    func connect(_ body: JSONValue, in organization: OrganizationID = Self.organization) async throws -> IntegrationID {
        let answer = try await self.call(.post, "/api/v1/integrations", body, in: organization)
        guard answer.status == 201, let id = answer.json["id"]?.integerValue else { throw TestFailure("not created: \(answer.text)") }
        return IntegrationID(rawValue: id)
    }

    /// POSTs a batch as campaigns does and answers the lines.
    func send(_ batch: SendBatch) async throws -> [String: SendOutcome] {
        var request = OutgoingRequest(.post, Route.sendMessages.template, requestID: "req_send", timeouts: Timeouts())
        request.headers[.contentType] = "application/json"
        request.body = .bytes(try JSONCoding.encode(batch))
        let response = try await self.campaigns.send(request)
        let bytes = try await response.collect(upTo: 1 << 24)
        guard response.head.status.code == 200 else { throw TestFailure(String(decoding: bytes, as: UTF8.self)) }
        let outcomes = try bytes.split(separator: UInt8(ascii: "\n")).map { try JSONCoding.decode(SendOutcome.self, from: $0) }
        return Dictionary(outcomes.map { ($0.sendKey, $0) }, uniquingKeysWith: { $1 })
    }

    /// What lies in the outbox for a destination.
    func outbox(_ type: String) async throws -> [JSONValue] {
        try await self.database.owner.read("SELECT body FROM outbox ORDER BY id", as: OutboxPayload.self)
            .map(\.value).filter { $0["type"]?.stringValue == type || $0["action"]?.stringValue == type }
    }

    /// On their way to members.
    func notices() async throws -> [JSONValue] {
        try await self.database.owner.read(
            "SELECT body FROM outbox WHERE destination = 'gateway' AND id LIKE 'ntc!_%' ESCAPE '!' ORDER BY id",
            as: OutboxPayload.self
        ).map(\.value)
    }

    private struct OutboxPayload: RowDecodable {
        let value: JSONValue
        init(row: Row) throws { self.value = try row.get("body") }
    }

    /// Works on everything that is claimable now.
    func workSyncs() async throws {
        let worker = self.assembly.syncWorker
        while true {
            let runs = try await self.assembly.syncs.claim(10, owner: "test")
            if runs.isEmpty { return }
            for run in runs { try await worker.work(run) }
        }
    }

    func runs(of id: IntegrationID) async throws -> [SyncRun] {
        try await self.assembly.syncs.list(PageRequest(), of: id, in: Self.organization)
    }
}

func withIntegrations<T: Sendable>(
    _ settings: TestStack.Settings = .init(),
    _ body: @escaping @Sendable (TestStack) async throws -> T
) async throws -> T {
    try await withDatabase(.integrations, migrations: ServiceMain.sharedMigrations + IntegrationsService.migrations) { database in
        try await TestStackRunner(database: database, settings: settings).run(body)
    }
}

private struct TestStackRunner {
    let database: TestDatabase
    let settings: TestStack.Settings

    /// 32 bytes in base64: no passphrase that has to be stretched for every test.
    private static let encryptionKey = "9cJ0mXx1yK5pQ3vR7tW2zB8nD4fG6hL0sA1eU9iO3kM="
    private static let key = Secret("a key of a test that is long enough to be one")

    func run<T: Sendable>(_ body: @escaping @Sendable (TestStack) async throws -> T) async throws -> T {
        let nudges = TestStack.Nudges()
        let http = HTTPClient(.outside(guard: nil), logger: TestLog.quiet)
        let assembly = try self.assembly(http, nudges)
        let table = RouteTable(service: .integrations)
        assembly.mount(on: table)
        let identities = try IdentityKeys(service: .integrations, keys: [.gateway: [Self.key], .campaigns: [Self.key]])
        let (ports, port) = AsyncStream<Int>.makeStream()
        let server = HouseServer(
            table,
            service: .integrations,
            identities: identities,
            settings: .init(host: "127.0.0.1", port: 0),
            operations: (MetricsRegistry(), []),
            logger: TestLog.quiet,
            onListening: { port.yield($0) }
        )
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            defer { group.cancelAll() }
            var iterator = ports.makeAsyncIterator()
            guard let number = await iterator.next() else { throw TestFailure("the server did not start") }
            let stack = TestStack(
                database: self.database,
                assembly: assembly,
                nudges: nudges,
                gateway: try self.client(.gateway, number, http),
                campaigns: try self.client(.campaigns, number, http)
            )
            return try await body(stack)
        }
    }

    private func client(_ caller: ServiceName, _ port: Int, _ http: HTTPClient) throws -> ServiceClient {
        ServiceClient(
            from: caller,
            to: .integrations,
            replicas: ["http://127.0.0.1:\(port)"],
            identities: try IdentityKeys(service: caller, keys: [.integrations: [Self.key]]),
            client: http
        )
    }

    private func assembly(_ http: HTTPClient, _ nudges: TestStack.Nudges) throws -> IntegrationsAssembly {
        let reader = SettingsReader(environment: [
            "SEND_LEASE": "\(self.settings.sendLease)", "SMTP_REPLY_TIMEOUT": "\(self.settings.smtpReplyTimeout)",
        ])
        let configuration = IntegrationsConfiguration(reader)
        try reader.finish()
        let keyRing = try KeyRing(
            current: Secret(Self.encryptionKey),
            previous: [],
            development: true
        )
        let smtp = SMTPClient(
            .init(
                maximumConnectionsPerServer: self.settings.smtpConnections,
                replyTimeout: .seconds(self.settings.smtpReplyTimeout),
                guardRules: nil
            ),
            logger: TestLog.quiet
        )
        let database = self.database.runtime
        return IntegrationsAssembly(
            IntegrationsParts(
                database: database,
                cipher: try Cipher(keyRing, purpose: CredentialVault.purpose),
                outbox: Outbox(service: .integrations, database: database),
                idempotency: try Idempotency(database: database, keyRing: keyRing),
                providers: Providers([
                    HubSpotProvider(client: HubSpotClient(baseURL: self.settings.hubSpot, http: http)),
                    SendGridProvider(baseURL: self.settings.sendGrid, http: http, lanes: 4),
                    SMTPProvider(
                        client: smtp,
                        lanes: self.settings.smtpConnections,
                        replyTimeout: .seconds(self.settings.smtpReplyTimeout),
                        clientName: "switchboard.test",
                        guardRules: nil
                    ),
                ]),
                configuration: configuration,
                logger: TestLog.quiet,
                mailClient: smtp,
                nudgeCampaigns: { nudges.add($0) }
            )
        )
    }
}

/// Waits for what other tasks bring about; the test's own time limit ends it otherwise.
func eventually(_ condition: @Sendable () async throws -> Bool) async throws {
    let clock = ContinuousClock()
    let end = clock.now + .seconds(30)
    while try await !condition() {
        guard clock.now < end else { throw TestFailure("it did not come about within 30 s") }
        try await Task.sleep(for: .milliseconds(10))
    }
}
