import HTTPTypes
import Hummingbird
import Models
import NIOCore
import ServiceKit
import Synchronization
import TestSupport
import Testing

@testable import Gateway

/// The short way of usual requests: it answers as the pipeline does, and ends as well.
@Suite struct LaneTests {
    private static let text = "{\"data\":[]}"

    private func withLane(
        _ answer: @escaping @Sendable (FakeUpstream.Received) async throws -> Response = { _ in
            Response(status: .ok, headers: [.contentType: "application/json"], body: .init(byteBuffer: ByteBuffer(string: Self.text)))
        },
        _ body: @Sendable (TestGateway, TestMember, FakeUpstream) async throws -> Void
    ) async throws {
        let upstream = FakeUpstream(answer)
        try await withUpstream(upstream) { url in
            let variables = ["CORS_ORIGINS": "https://app.example.com"]
            try await withGateway(.init(upstream: url, variables: variables, runsWorkers: true)) { gateway in
                let member = try await gateway.register()
                let cache = gateway.gateways[0].cache
                let digest = try TokenDigest(member.accessToken)
                try await eventually("the session is remembered") {
                    _ = try await gateway.get("/auth/me", member)
                    return cache.find(digest) != nil
                }
                try await body(gateway, member, upstream)
            }
        }
    }

    private static func request(_ path: String, _ member: TestMember, _ more: String = "") -> String {
        "GET \(path) HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(member.accessToken)\r\n\(more)\r\n"
    }

    /// What is asked again until it took the lane: on a busy machine the credential or the units may have to be asked for.
    private static func byLane<Answer>(
        _ gateway: TestGateway,
        requests: Int = 1,
        _ ask: () async throws -> Answer
    ) async throws -> Answer {
        for _ in 0..<200 {
            let before = gateway.gateways[0].lane.count
            let answer = try await ask()
            if gateway.gateways[0].lane.count >= before + requests { return answer }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw TestFailure("the lane was never taken")
    }

    @Test func bothWaysAnswerAlike() async throws {
        try await self.withLane { gateway, member, upstream in
            // A page of another origin goes the long way.
            let long = try await gateway.door.send(
                "GET",
                "/api/v1/contacts?limit=3",
                headers: member.bearer + [("Origin", "https://a.example")]
            )
            let short = try await Self.byLane(gateway) { try await gateway.get("/contacts?limit=3", member) }
            #expect(short.status == 200)
            #expect(short.text == Self.text)
            #expect(short.text == long.text)
            let names = { (answer: TestDoor.Answer) in Set(answer.headers.map { $0.name.lowercased() }) }
            #expect(names(short) == names(long))
            for name in [
                "Content-Type", "Content-Length", "RateLimit-Policy", "X-Content-Type-Options", "Cache-Control", "Referrer-Policy",
            ] {
                #expect(short.header(name) == long.header(name), "\(name)")
            }
            let received = upstream.received
            let seen = { (request: FakeUpstream.Received) in
                // libcurl adds an agent and an accepted type of its own where the client names none.
                Set(request.headers.map(\.name.canonicalName)).subtracting(["origin", "user-agent", "accept"])
            }
            let last = try #require(received.last)
            #expect(seen(received[0]) == seen(last))
            let identity = try IdentityKeys(service: .campaigns, keys: [.gateway: [Secret(TestGateway.internalKey)]]).verify(
                last.headers[.switchboardIdentity],
                method: "GET",
                path: "/api/v1/contacts?limit=3"
            ).identity
            #expect(identity.principal?.organizationID == member.organization)
            #expect(identity.requestID == short.header("X-Request-Id"))
            #expect(identity.clientAddress == "127.0.0.1")
            #expect(identity.publicURL == "https://gateway.test/api/v1/contacts?limit=3")
        }
    }

    @Test func requestsSentAtOnceAreAnsweredInTheirOrder() async throws {
        try await self.withLane { received in
            // The first takes longest.
            if received.path.hasSuffix("a") { try await Task.sleep(for: .milliseconds(150)) }
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: "<\(received.path)>")))
        } _: { gateway, member, _ in
            let targets = ["/api/v1/contacts?a", "/api/v1/contacts?b", "/api/v1/auth/me", "/api/v1/campaigns", "/api/v1/contacts?c"]
            let text = targets.map { Self.request($0, member, $0.hasSuffix("c") ? "Connection: close\r\n" : "") }.joined()
            // Those behind the gateway's own route may have to wait for it on the long way.
            let received = try await Self.byLane(gateway, requests: 2) {
                let connection = try RawConnection(gateway.door)
                connection.send(text)
                return await connection.receive()
            }
            #expect(received.isClosed)
            #expect(received.statuses == [200, 200, 200, 200, 200])
            let order = ["<\(targets[0])>", "<\(targets[1])>", "ada@example.com", "<\(targets[3])>", "<\(targets[4])>"]
            let places = order.map { received.text.firstRange(of: $0)?.lowerBound }
            #expect(!places.contains(nil))
            #expect(places.compactMap { $0 } == places.compactMap { $0 }.sorted())
        }
    }

    @Test func largeAnswersArriveWhole() async throws {
        let size = 6_000_000
        try await self.withLane { _ in
            Response(status: .ok, body: .init(byteBuffer: ByteBuffer(repeating: 65, count: size)))
        } _: { gateway, member, _ in
            let answer = try await Self.byLane(gateway) { try await gateway.get("/contacts", member) }
            #expect(answer.body.count == size)
        }
    }

    @Test func anAnswerThatBreaksOffIsNotTakenForAWholeOne() async throws {
        struct Broken: Error {}
        try await self.withLane { _ in
            let body = ResponseBody { writer in
                try await writer.write(ByteBuffer(repeating: 65, count: 300_000))
                throw Broken()
            }
            return Response(status: .ok, body: body)
        } _: { gateway, member, _ in
            let received = try await Self.byLane(gateway) {
                let connection = try RawConnection(gateway.door)
                connection.send(Self.request("/api/v1/contacts", member))
                return await connection.receive()
            }
            #expect(received.isClosed)
            #expect(!received.text.hasSuffix("0\r\n\r\n"))
        }
    }

    @Test func aClientThatLeavesEndsTheCall() async throws {
        let isCutOff = Mutex(false)
        try await self.withLane { _ in
            let body = ResponseBody { writer in
                do {
                    while true { try await writer.write(ByteBuffer(repeating: 65, count: 100_000)) }
                } catch {
                    isCutOff.withLock { $0 = true }
                    throw error
                }
            }
            return Response(status: .ok, body: body)
        } _: { gateway, member, _ in
            try await Self.byLane(gateway) {
                isCutOff.withLock { $0 = false }
                let connection = try RawConnection(gateway.door)
                connection.send(Self.request("/api/v1/contacts", member))
                #expect(await connection.receive(within: .milliseconds(200)).text.hasPrefix("HTTP/1.1 200"))
            }
            try await eventually("the service is told") { isCutOff.withLock { $0 } }
        }
    }

    @Test func aServiceThatIsAwayIsA503AndCostsOneUnit() async throws {
        try await withGateway(.init(runsWorkers: true)) { gateway in
            let member = try await gateway.register()
            let (_, key) = try await gateway.key(of: member, [.contactsRead])
            let ask = { try await gateway.door.send("GET", "/api/v1/contacts", headers: [("X-API-Key", key)]) }
            let rest = { (answer: TestDoor.Answer) in answer.header("X-RateLimit-Remaining").flatMap { Int($0) } }
            var before: Int?
            var answer = try await ask()
            answer = try await Self.byLane(gateway) {
                before = rest(answer)
                answer = try await ask()
                return answer
            }
            #expect(answer.status == 503)
            #expect(answer.header("Content-Type") == "application/problem+json")
            #expect(answer.header("Retry-After") != nil)
            #expect(rest(answer) == before.map { $0 - 1 })
            #expect(answer.json["request_id"]?.stringValue == answer.header("X-Request-Id"))
        }
    }

    /// RFC 9112 section 6.1: who speaks HTTP/1.0 knows no chunks. The end of the connection is the end of the answer.
    @Test(arguments: ["", "Origin: https://a.example\r\n", "Connection: keep-alive\r\n"])
    func anOlderClientGetsNoChunks(more: String) async throws {
        try await self.withLane { _ in
            Response(
                status: .ok,
                body: ResponseBody { writer in
                    try await writer.write(ByteBuffer(string: Self.text))
                    try await writer.finish(nil)
                }
            )
        } _: { gateway, member, _ in
            let connection = try RawConnection(gateway.door)
            connection.send(Self.request("/api/v1/contacts", member, more).replacing("HTTP/1.1", with: "HTTP/1.0"))
            let received = await connection.receive()
            #expect(received.statuses == [200])
            #expect(received.isClosed)
            #expect(!received.text.lowercased().contains("transfer-encoding"))
            #expect(received.text.hasSuffix("\r\n\r\n" + Self.text))
        }
    }

    @Test func aClientThatHasSaidAllIsStillAnswered() async throws {
        try await self.withLane { _ in
            try await Task.sleep(for: .milliseconds(100))
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: Self.text)))
        } _: { gateway, member, _ in
            let connection = try RawConnection(gateway.door)
            connection.send(Self.request("/api/v1/contacts", member))
            connection.finishSending()
            let received = await connection.receive()
            #expect(received.statuses == [200])
            #expect(received.text.hasSuffix(Self.text))
        }
    }

    @Test func whatCannotBeReadIsNotTheAnswerToTheRequestBeforeIt() async throws {
        try await self.withLane { _ in
            try await Task.sleep(for: .milliseconds(100))
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(string: Self.text)))
        } _: { gateway, member, _ in
            let received = try await Self.byLane(gateway) {
                let connection = try RawConnection(gateway.door)
                connection.send(
                    Self.request("/api/v1/contacts", member)
                        + "POST /api/v1/campaigns HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n"
                )
                return await connection.receive()
            }
            #expect(received.statuses.first == 200)
            #expect(received.text.contains(Self.text))
        }
    }

    /// Its place must not be held, nor answers be made for it that it does not read.
    @Test(arguments: [1, 400]) func aClientThatReadsNothingIsCutOff(requests: Int) async throws {
        let made = Atomic<Int>(0)
        let size = requests == 1 ? 30_000_000 : 200_000
        let upstream = FakeUpstream { _ in
            made.add(1, ordering: .relaxed)
            return Response(status: .ok, body: .init(byteBuffer: ByteBuffer(repeating: 65, count: size)))
        }
        try await withUpstream(upstream) { url in
            let settings = TestGateway.Settings(upstream: url, runsWorkers: true) { $0.connectionLimits.stalledAnswer = .milliseconds(700) }
            try await withGateway(settings) { gateway in
                let member = try await gateway.register()
                _ = try await Self.byLane(gateway) { try await gateway.get("/contacts", member) }
                made.store(0, ordering: .relaxed)
                let connection = try RawConnection(gateway.door)
                connection.send(String(repeating: Self.request("/api/v1/contacts", member), count: requests))
                try await eventually("the connection is cut", within: .seconds(15)) {
                    connection.send("x"); return connection.isCut
                }
                #expect(made.load(ordering: .relaxed) < 60)
            }
        }
    }

    @Test func aShortAnswerThatBreaksOffIsA502() async throws {
        struct Broken: Error {}
        try await self.withLane { _ in
            let body = ResponseBody(contentLength: 1000) { writer in
                try await writer.write(ByteBuffer(repeating: 65, count: 300))
                throw Broken()
            }
            return Response(status: .ok, headers: [.contentLength: "1000"], body: body)
        } _: { gateway, member, _ in
            let answer = try await Self.byLane(gateway) { try await gateway.get("/contacts", member) }
            #expect(answer.status == 502)
            #expect(answer.header("Date")?.hasSuffix(" GMT") == true)
            #expect(answer.header("Content-Type") == "application/problem+json")
        }
    }

    @Test func aLongAnswerIsWholeForAClientThatHasSaidAll() async throws {
        let size = 250_000
        try await self.withLane { _ in
            Response(status: .ok, body: .init(byteBuffer: ByteBuffer(repeating: 65, count: size)))
        } _: { gateway, member, _ in
            let received = try await Self.byLane(gateway) {
                let connection = try RawConnection(gateway.door, receiveBuffer: 4096)
                connection.send(Self.request("/api/v1/contacts", member))
                connection.finishSending()
                try await Task.sleep(for: .milliseconds(300))
                return await connection.receive()
            }
            #expect(received.isClosed)
            #expect(received.text.utf8.count { $0 == 65 } >= size)
        }
    }
}
