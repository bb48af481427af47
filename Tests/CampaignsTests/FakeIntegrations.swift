import Encryption
import Foundation
import Hummingbird
import HummingbirdCore
import Models
import NIOCore
import ServiceKit
import Synchronization
import TestSupport
import Transport

@testable import Campaigns

/// Speaks the sending contract: remembers what it was asked, and answers each POST as the test says.
final class FakeIntegrations: Sendable {
    struct Answer: Sendable {
        var outcomes: [SendOutcome] = []
        var status: HTTPResponse.Status = .ok
        /// The connection is cut after the outcomes.
        var breaks = false
        var detail: String?
    }

    private struct State {
        var posts: [SendBatch] = []
        var answer: @Sendable (_ batch: SendBatch, _ post: Int) -> Answer
    }

    private struct Cut: Error {}

    private let state: Mutex<State>

    init(_ answer: @escaping @Sendable (_ batch: SendBatch, _ post: Int) -> Answer) {
        self.state = Mutex(State(answer: answer))
    }

    var posts: [SendBatch] { self.state.withLock { $0.posts } }

    static func outcomes(_ batch: SendBatch, _ outcome: SendOutcome.Class) -> [SendOutcome] {
        batch.messages.map { SendOutcome(sendKey: $0.sendKey, outcome: outcome) }
    }

    /// Runs it on a free port around `body`, which gets a client of it.
    func run(_ body: @Sendable (ServiceClient) async throws -> Void) async throws {
        let router = Router()
        router.post("/internal/messages") { request, _ in try await self.respond(request) }
        try await Self.serve(router, body)
    }

    /// Runs a router in the place of integrations.
    static func serve(_ router: Router<BasicRequestContext>, _ body: @Sendable (ServiceClient) async throws -> Void) async throws {
        let (ports, port) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in port.yield(channel.localAddress?.port ?? 0) },
            logger: TestLog.quiet
        )
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            defer { group.cancelAll() }
            for await port in ports.prefix(1) { try await Self.withClient(ofPort: port, body) }
        }
    }

    static func withClient(ofPort port: Int, _ body: @Sendable (ServiceClient) async throws -> Void) async throws {
        let secret = Secret("a key of campaigns and integrations in tests")
        let http = HTTPClient(.inside(), logger: TestLog.quiet)
        let client = ServiceClient(
            from: .campaigns,
            to: .integrations,
            replicas: ["http://127.0.0.1:\(port)"],
            identities: try IdentityKeys(service: .campaigns, keys: [.integrations: [secret]]),
            client: http
        )
        let result: Result<Void, any Error>
        do { result = .success(try await body(client)) } catch { result = .failure(error) }
        await http.shutdown(within: .zero)
        try result.get()
    }

    private func respond(_ request: Request) async throws -> Response {
        let buffer = try await request.body.collect(upTo: 64 << 20)
        let batch = try JSONCoding.decode(SendBatch.self, from: buffer.readableBytesView)
        let answer = self.state.withLock { state in
            state.posts.append(batch)
            return state.answer(batch, state.posts.count)
        }
        if let detail = answer.detail {
            return .json(bytes: JSONValue.object(["detail": .string(detail)]).serialized(), status: answer.status)
        }
        guard answer.status == .ok else { return Response(status: answer.status) }
        return Response(
            status: .ok,
            headers: [.contentType: "application/x-ndjson"],
            body: ResponseBody { writer in
                for outcome in answer.outcomes {
                    try await writer.write(ByteBuffer(bytes: try JSONCoding.encode(outcome) + [UInt8(ascii: "\n")]))
                }
                if answer.breaks { throw Cut() }
                try await writer.finish(nil)
            }
        )
    }
}

extension Harness {
    /// A dispatcher whose waits are short.
    func dispatcher(_ client: ServiceClient, attemptLimit: Int = 3, refusalLimit: Int = 2) -> Dispatcher {
        let sizer = BatchSizer(limit: 100)
        return Dispatcher(
            claims: ClaimStore(database: self.database, sizer: sizer, lease: .seconds(60)),
            settlements: self.settlements,
            completion: self.completion,
            exchange: SendExchange(integrations: client),
            sizer: sizer,
            rules: SettlementRules(attemptLimit: attemptLimit),
            limits: .init(lease: .seconds(60), refusals: refusalLimit, gather: .milliseconds(1), retryDelay: .milliseconds(1)),
            logger: TestLog.quiet
        )
    }
}
