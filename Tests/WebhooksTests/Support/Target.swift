import Foundation
import HTTPTypes
import Hummingbird
import NIOCore
import Synchronization
import TestSupport

/// A webhook receiver on a port of its own, with answers that a test sets.
final class Target: Sendable {
    struct Delivery: Sendable {
        var path: String
        var headers: HTTPFields
        var body: [UInt8]

        func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { self.headers[$0] } }
    }

    enum Answer: Sendable {
        case status(Int, headers: [String: String] = [:], body: String = "")
        /// Never answers.
        case hang
        /// 200 and then a body without an end.
        case endlessBody
        /// 200, and then the connection is cut in the middle of the body.
        case brokenBody
    }

    private struct State {
        var deliveries: [Delivery] = []
        /// By path, in turn; the last one goes on.
        var answers: [String: [Answer]] = [:]
        var port = 0
    }

    private let state = Mutex(State())

    var deliveries: [Delivery] { self.state.withLock { $0.deliveries } }

    func deliveries(to path: String) -> [Delivery] { self.deliveries.filter { $0.path == path } }

    /// Adds to the answers of a path; they come in turn, and the last one goes on.
    func append(_ answer: Answer, to path: String = "/") { self.state.withLock { $0.answers[path, default: []].append(answer) } }

    func url(_ path: String = "/") -> String { "http://127.0.0.1:\(self.state.withLock { $0.port })\(path)" }

    private func take(_ delivery: Delivery) -> Answer {
        self.state.withLock { state in
            state.deliveries.append(delivery)
            guard let first = state.answers[delivery.path]?.first else { return .status(200) }
            if let count = state.answers[delivery.path]?.count, count > 1 { state.answers[delivery.path]?.removeFirst() }
            return first
        }
    }

    static func running<T: Sendable>(_ body: @Sendable (Target) async throws -> T) async throws -> T {
        let target = Target()
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        let application = Application(
            responder: CallbackResponder { (request: Request, _: BasicRequestContext) in try await target.respond(request) },
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { continuation.yield($0.localAddress?.port ?? 0) },
            logger: TestLog.quiet
        )
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await application.run() }
            defer { group.cancelAll() }
            for await port in ports {
                target.state.withLock { $0.port = port }
                break
            }
            return try await body(target)
        }
    }

    private func respond(_ request: Request) async throws -> Response {
        let buffer = try await request.body.collect(upTo: 1 << 20)
        let delivery = Delivery(path: request.uri.path, headers: request.headers, body: Array(buffer.readableBytesView))
        switch self.take(delivery) {
        case .status(let status, let headers, let body):
            var response = Response(status: .init(code: status), body: ResponseBody(byteBuffer: ByteBuffer(string: body)))
            for (name, value) in headers {
                if let name = HTTPField.Name(name) { response.headers[name] = value }
            }
            return response
        case .hang:
            try await Task.sleep(for: .seconds(3600))
            return Response(status: .ok)
        case .endlessBody:
            return Response(
                status: .ok,
                body: ResponseBody { writer in
                    while true { try await writer.write(ByteBuffer(repeating: UInt8(ascii: "x"), count: 65_536)) }
                }
            )
        case .brokenBody:
            return Response(
                status: .ok,
                body: ResponseBody(contentLength: 100) { writer in
                    try await writer.write(ByteBuffer(string: "half"))
                    throw CancellationError()
                }
            )
        }
    }
}
