import CoreMetrics
import Foundation
import HTTPTypes
import Hummingbird
import Models
import NIOCore
import ServiceKit
import Testing
import Transport

@testable import Database

@Suite struct HTTPTests {
    private struct Odd: Error, CustomStringConvertible { var description: String { "odd thing inside" } }
    private struct Numbers: Decodable { var list: [Int] }

    private static let errors: [String: @Sendable () -> any Error] = [
        "problem": { Problem(.conflict, "Taken.") },
        "http": { HTTPError(.unsupportedMediaType, message: "Not that.") },
        "too-many": { NIOTooManyBytesError(maxBytes: 1) },
        "cancelled": { CancellationError() },
        "away": { DatabaseError(.unavailable, "none") },
        "timed-out": { DatabaseError(.timedOut, "none") },
        "unique": { DatabaseError(.server, sqlState: "23505", constraint: "x", "dup") },
        "misuse": { DatabaseError(.misuse, "odd thing inside") },
        "call": { ServiceCallError(.webhooks, .timedOut, detail: "odd thing inside") },
        "odd": { Odd() },
    ]

    private func withGateway(_ lines: LogLines = LogLines(), _ body: @escaping @Sendable (TestServer) async throws -> Void) async throws {
        try await withServer(.gateway, logger: lines.logger(.gateway)) { table in
            table.mountOpen(.register) { request, context in
                if let name = request.query("throw"), let error = Self.errors[name] { throw error() }
                context.addHeader(.eTag, "x")
                return .json(bytes: try await request.jsonBody(limit: 1000).bytes, status: .created)
            }
            table.mountOpen(.login) { request, _ in
                _ = try await request.decodeBody(Numbers.self)
                return .noContent
            }
            table.mountOpen(.refreshSession) { _, _ in
                let chunk = ByteBuffer(repeating: 0x20, count: 50_000)
                return Response(
                    status: .ok,
                    body: ResponseBody(
                        asyncSequence: AsyncStream { sink in
                            for _ in 0..<4 { sink.yield(chunk) }
                            sink.finish()
                        }
                    )
                )
            }
        } _: { server in
            try await body(server)
        }
    }

    @Test func everyErrorBecomesAProblem() async throws {
        let lines = LogLines()
        try await self.withGateway(lines) { server in
            let expected = [
                "problem": (409, "conflict"), "http": (415, "unsupported-media-type"), "too-many": (413, "payload-too-large"),
                "cancelled": (503, "unavailable"), "away": (503, "unavailable"), "timed-out": (503, "unavailable"),
                "unique": (409, "conflict"), "misuse": (500, "internal"), "call": (504, "timeout"), "odd": (500, "internal"),
            ]
            for (name, (status, type)) in expected {
                let answer = try await server.request(.post, "/api/v1/auth/register?throw=\(name)", headers: [.requestID: "id-\(name)"])
                #expect(answer.status == status, "\(name)")
                #expect(answer.headers[.contentType] == "application/problem+json")
                #expect(answer.json?["type"] == .string("/problems/\(type)"))
                #expect(answer.json?["status"] == .integer(Int64(status)))
                #expect(answer.json?["request_id"] == .string("id-\(name)"))
                #expect(!answer.text.contains("odd thing"))
                if status == 503 { #expect(answer.headers[.retryAfter] != nil) }
            }
        }
        for name in ["odd", "misuse"] {
            let logged = lines.all.filter { $0["request_id"] == .string("id-\(name)") && $0["level"] == "error" }
            #expect(logged.count == 1)
            #expect(logged.first?.text.contains("odd thing inside") == true)
        }
        #expect(!lines.all.contains { $0["request_id"] == "id-problem" && $0["level"] == "error" })
    }

    @Test func bodiesAreChecked() async throws {
        try await self.withGateway { server in
            func post(_ text: String, type: String? = "application/json", path: String = "register") async throws -> Answer {
                let headers: HTTPFields = type.map { [.contentType: $0] } ?? [:]
                return try await server.request(.post, "/api/v1/auth/\(path)", headers: headers, body: .bytes(Array(text.utf8)))
            }
            #expect(try await post(#"{"a":1}"#).status == 201)
            #expect(try await post(#"{"a":1}"#, type: "application/json; charset=utf-8").status == 201)
            #expect(try await post(#"{"a":1}"#, type: "application/merge-patch+json").status == 201)
            #expect(try await post(#"{"a":1}"#, type: "text/plain").status == 415)
            #expect(try await post(#"{"a":1}"#, type: nil).status == 415)
            #expect(try await post("").status == 400)
            #expect(try await post(#"{"a":1"#).status == 400)
            #expect(try await post(#"{"a":1,"a":2}"#).status == 400)
            #expect(try await post(String(repeating: " ", count: 2000)).status == 413)
            let wrong = try await post(#"{"list":[1,"x"]}"#, path: "login")
            #expect(wrong.status == 422)
            #expect(wrong.json?["errors"]?.arrayValue?.first?["pointer"] == "/list/1")
        }
    }

    @Test func chunkedBodyBeyondTheLimitIsRefused() async throws {
        try await self.withGateway { server in
            let chunks = Chunks(count: 100, size: 1000)
            let answer = try await server.request(
                .post,
                "/api/v1/auth/register",
                headers: [.contentType: "application/json"],
                body: .stream(length: nil) { chunks.next() }
            )
            #expect(answer.status == 413)
        }
    }

    @Test func unknownPathsAndMethodsAreToldApart() async throws {
        try await self.withGateway { server in
            let unknown = try await server.request(.get, "/api/v1/nothing")
            #expect(unknown.status == 404)
            #expect(unknown.json?["type"] == "/problems/not-found")
            let wrong = try await server.request(.delete, "/api/v1/auth/register")
            #expect(wrong.status == 405)
            #expect(wrong.headers[.allow] == "POST")
            #expect(wrong.headers[.contentType] == "application/problem+json")
        }
    }

    @Test func identifiersAreEchoedOrMade() async throws {
        try await self.withGateway { server in
            let given = try await server.request(.get, "/x", headers: [.requestID: "mine-1"])
            #expect(given.headers[.requestID] == "mine-1")
            let made = try await server.request(.get, "/x", headers: [.requestID: "not mine\u{e4}"])
            #expect(made.headers[.requestID]?.hasPrefix("req_") == true)
        }
    }

    @Test func headersNotedForTheAnswerAreSent() async throws {
        try await self.withGateway { server in
            let headers: HTTPFields = [.contentType: "application/json"]
            let good = try await server.request(.post, "/api/v1/auth/register", headers: headers, body: .bytes(Array("{}".utf8)))
            let bad = try await server.request(.post, "/api/v1/auth/register", headers: headers, body: .bytes(Array("{".utf8)))
            #expect(good.headers[.eTag] == "x")
            #expect(bad.headers[.eTag] == "x")
            #expect(good.headers[.xContentTypeOptions] == "nosniff")
        }
    }

    @Test func accessLogTellsStatusDurationAndBytes() async throws {
        let lines = LogLines()
        try await self.withGateway(lines) { server in
            _ = try await server.request(.post, "/api/v1/auth/refresh?token=hunter2", headers: [.requestID: "streamed"])
            _ = try await server.request(.get, "/healthz", headers: [.requestID: "health"])
            try await eventually { lines.all.contains { $0["request_id"] == "streamed" } }
        }
        let line = try #require(lines.all.first { $0["request_id"] == "streamed" })
        #expect(line["metadata"]?["status"] == "200")
        #expect(line["metadata"]?["bytes"] == "200000")
        #expect(line["metadata"]?["route"] == "/api/v1/auth/refresh")
        #expect(line["metadata"]?["method"] == "POST")
        #expect(line["metadata"]?["duration_ms"]?.stringValue.flatMap { Double($0) } != nil)
        #expect(!line.text.contains("hunter2"))
        #expect(!lines.all.contains { $0["request_id"] == "health" })
    }

    @Test func operationsAnswer() async throws {
        let metrics = MetricsRegistry()
        metrics.makeCounter(label: "seen", dimensions: []).increment(by: 1)
        let readiness = [ReadinessCheck("database") { true }, ReadinessCheck("schema") { false }]
        try await withServer(.campaigns, metrics: metrics, readiness: readiness) { _ in
        } _: { server in
            #expect(try await server.request(.get, "/healthz").status == 200)
            #expect(try await server.request(.head, "/healthz").status == 200)
            let ready = try await server.request(.get, "/readyz")
            #expect(ready.status == 503)
            #expect(ready.json?["checks"] == ["database": true, "schema": false])
            let text = try await server.request(.get, "/metrics")
            #expect(text.text.contains("seen_total 1"))
            #expect(text.headers[.contentType]?.hasPrefix("text/plain; version=0.0.4") == true)
        }
    }

    @Test func metricsAreForWhoHoldsTheToken() async throws {
        for (access, statuses) in [(MetricsAccess.closed, [404, 404, 404]), (.token(Secret("scraper")), [404, 404, 200])] {
            try await withServer(.campaigns, metricsAccess: access) { _ in
            } _: { server in
                var answers: [Int] = []
                for authorization in [nil, "Bearer scrape", "Bearer scraper"] {
                    let headers: HTTPFields = authorization.map { [.authorization: $0] } ?? [:]
                    answers.append(try await server.request(.get, "/metrics", headers: headers).status)
                }
                #expect(answers == statuses)
                #expect(try await server.request(.get, "/healthz").status == 200)
            }
        }
    }

    @Test func queryFaultsAreAllNamed() throws {
        let request = Request(
            head: HTTPRequest(method: .get, scheme: nil, authority: nil, path: "/x?limit=0&cursor=zz&odd=1&state=a&state=b&bad=%zz"),
            body: RequestBody(buffer: ByteBuffer())
        )
        let problem = #expect(throws: Problem.self) { try request.page(alsoAllowing: ["state", "bad"]) }
        #expect(Set(problem?.errors.map(\.pointer) ?? []) == ["?limit", "?cursor", "?odd", "?state", "?bad"])
        #expect(request.query("state") == "a")
    }
}

/// A body that never says how long it is.
final class Chunks: Sendable {
    private let left: LockedCount
    private let size: Int

    init(count: Int, size: Int) {
        self.left = LockedCount(count)
        self.size = size
    }

    func next() -> [UInt8]? { self.left.takeOne() ? Array(repeating: 0x20, count: self.size) : nil }
}
