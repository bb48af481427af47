import HTTPTypes
import Hummingbird
import Models
import NIOCore
import ServiceKit
import Testing

@testable import Gateway

@Suite struct ProxyTests {
    private static func identities(_ service: ServiceName) throws -> IdentityKeys {
        try IdentityKeys(service: service, keys: [.gateway: [Secret(TestGateway.internalKey)]])
    }

    private func withProxy(
        _ upstream: FakeUpstream,
        _ variables: [String: String] = [:],
        _ body: @Sendable (TestGateway) async throws -> Void
    ) async throws {
        try await withUpstream(upstream) { url in
            try await withGateway(.init(upstream: url, variables: variables)) { try await body($0) }
        }
    }

    private static let echo: @Sendable (FakeUpstream.Received) async throws -> Response = { received in
        Response(status: .ok, headers: [.contentType: "text/plain"], body: .init(byteBuffer: ByteBuffer(bytes: received.body)))
    }

    @Test func requestGoesOnWithASignedIdentityInPlaceOfTheCredential() async throws {
        let upstream = FakeUpstream(Self.echo)
        try await self.withProxy(upstream) { gateway in
            let member = try await gateway.register()
            let headers =
                member.bearer + [
                    ("Switchboard-Identity", "v1.forged.forged"), ("Switchboard-Role", "owner"), ("X-Forwarded-For", "9.9.9.9"),
                    ("Forwarded", "for=9.9.9.9"), ("Cookie", "a=b"), ("X-Hop", "1"), ("TE", "trailers"), ("X-Request-Id", "req-77"),
                    ("Idempotency-Key", "k-1"),
                ]
            let answer = try await gateway.door.send("POST", "/api/v1/campaigns?dry=1", headers: headers, body: ["name": "Spring"])
            #expect(answer.status == 200)
            #expect(answer.text == "{\"name\":\"Spring\"}")
            #expect(answer.header("X-Request-Id") == "req-77")

            let received = try #require(upstream.received.first)
            #expect(received.method == "POST")
            #expect(received.path == "/api/v1/campaigns?dry=1")
            for name in ["authorization", "cookie", "forwarded", "x-forwarded-for", "switchboard-role", "te"] {
                #expect(!received.headers.contains { $0.name.canonicalName == name }, "\(name)")
            }
            #expect(received.headers[.idempotencyKey] == "k-1")
            #expect(received.headers[.contentType] == "application/json")
            let verified = try Self.identities(.campaigns).verify(
                received.headers[.switchboardIdentity],
                method: "POST",
                path: "/api/v1/campaigns?dry=1"
            )
            #expect(verified.isBodyBound)
            try verified.check(body: received.body)
            #expect(verified.identity.caller == .gateway)
            #expect(verified.identity.requestID == "req-77")
            #expect(verified.identity.publicURL == "https://gateway.test/api/v1/campaigns?dry=1")
            #expect(verified.identity.clientAddress == "127.0.0.1")
            let principal = Principal(organizationID: member.organization, subject: .user(member.user), role: .owner, scopes: nil)
            #expect(verified.identity.principal == principal)
        }
    }

    @Test func hopByHopHeadersEndAtTheGateway() async throws {
        let upstream = FakeUpstream { _ in
            var headers: HTTPFields = [.contentType: "text/plain", .connection: "X-Internal", .setCookie: "a=b"]
            headers[try #require(HTTPField.Name("X-Internal"))] = "secret"
            headers[try #require(HTTPField.Name("X-Kept"))] = "yes"
            return Response(status: .accepted, headers: headers, body: .init(byteBuffer: ByteBuffer(string: "fine")))
        }
        try await self.withProxy(upstream) { gateway in
            let member = try await gateway.register()
            let request =
                "GET /api/v1/contacts HTTP/1.1\r\nHost: x\r\nConnection: close, X-Once\r\nX-Once: 1\r\n"
                + "Authorization: Bearer \(member.accessToken)\r\n\r\n"
            let answer = try await gateway.door.exchange(Array(request.utf8))
            #expect(answer.status == 202)
            #expect(answer.text == "fine")
            #expect(answer.header("X-Internal") == nil)
            #expect(answer.header("Set-Cookie") == nil)
            #expect(answer.header("X-Kept") == "yes")
            #expect(upstream.received.first?.headers.contains { $0.name.canonicalName == "x-once" } == false)
        }
    }

    @Test func largeBodiesStreamBothWays() async throws {
        let upstream = FakeUpstream(Self.echo)
        try await self.withProxy(upstream) { gateway in
            let member = try await gateway.register()
            let large = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let answer = try await gateway.door.send("POST", "/api/v1/campaigns", headers: member.bearer, bytes: large)
            #expect(answer.status == 200)
            #expect(answer.body == large)
            let received = try #require(upstream.received.first)
            let verified = try Self.identities(.campaigns).verify(
                received.headers[.switchboardIdentity],
                method: "POST",
                path: "/api/v1/campaigns"
            )
            #expect(!verified.isBodyBound)
        }
    }

    @Test func chunkedBodiesPass() async throws {
        let upstream = FakeUpstream(Self.echo)
        try await self.withProxy(upstream) { gateway in
            let member = try await gateway.register()
            let request =
                "POST /api/v1/campaigns HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
                + "Authorization: Bearer \(member.accessToken)\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
            let answer = try await gateway.door.exchange(Array(request.utf8))
            #expect(answer.text == "hello world")
        }
    }

    @Test func longChunkedBodiesStream() async throws {
        let upstream = FakeUpstream(Self.echo)
        try await self.withProxy(upstream) { gateway in
            let member = try await gateway.register()
            let piece = String(repeating: "x", count: 0x80000)
            let request =
                "POST /api/v1/campaigns HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n"
                + "Authorization: Bearer \(member.accessToken)\r\n\r\n"
                + String(repeating: "80000\r\n\(piece)\r\n", count: 5) + "0\r\n\r\n"
            let answer = try await gateway.door.exchange(Array(request.utf8))
            #expect(answer.status == 200)
            #expect(upstream.received.first?.body.count == 5 * 0x80000)
        }
    }

    @Test(arguments: [
        "GET /api/v1/contacts HTTP/1.1\r\nContent-Length: 2\r\n", "GET /api/v1/auth/me HTTP/1.1\r\nContent-Length: 2\r\n",
        "DELETE /api/v1/campaigns/1 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n",
        "POST /api/v1/campaigns HTTP/1.1\r\nTransfer-Encoding: xchunked\r\n",
    ]) func bodiesThatHaveNoPlaceOrEndAreBadRequests(head: String) async throws {
        let upstream = FakeUpstream(Self.echo)
        try await self.withProxy(upstream) { gateway in
            let member = try await gateway.register()
            let request = head + "Host: x\r\nConnection: close\r\nAuthorization: Bearer \(member.accessToken)\r\n\r\n{}"
            #expect(try await gateway.door.exchange(Array(request.utf8)).status == 400)
            #expect(upstream.received.isEmpty)
        }
    }

    @Test func theMethodIsJudgedBeforeItsBody() async throws {
        try await withGateway { gateway in
            let request = "GET /api/v1/auth/login HTTP/1.1\r\nContent-Length: 2\r\nHost: x\r\nConnection: close\r\n\r\n{}"
            let answer = try await gateway.door.exchange(Array(request.utf8))
            #expect(answer.status == 405)
        }
    }

    @Test func tooLargeBodiesAreRefused() async throws {
        let upstream = FakeUpstream(Self.echo)
        try await self.withProxy(upstream, ["MAX_REQUEST_BYTES": "2000000"]) { gateway in
            let member = try await gateway.register()
            let large = [UInt8](repeating: 7, count: 2_000_001)
            let announced = try await gateway.door.send("POST", "/api/v1/campaigns", headers: member.bearer, bytes: large)
            #expect(announced.status == 413)
            let keyed = member.bearer + [("Idempotency-Key", "k")]
            let underKey = try await gateway.door.send("POST", "/api/v1/campaigns", headers: keyed, bytes: Array(large.dropLast(10)))
            #expect(underKey.status == 413)
            #expect(upstream.received.isEmpty)
        }
    }

    @Test func serviceThatIsAwayIsA503WithRetryAfter() async throws {
        try await withGateway { gateway in
            let member = try await gateway.register()
            let answer = try await gateway.door.send("GET", "/api/v1/contacts", headers: member.bearer)
            #expect(answer.status == 503)
            #expect(answer.header("Content-Type") == "application/problem+json")
            #expect(answer.header("Retry-After") != nil)
            #expect(answer.json["type"] == "/problems/unavailable")
        }
    }

    @Test func problemsOfTheServicePassUnchanged() async throws {
        let upstream = FakeUpstream { _ in
            Response(
                status: .conflict,
                headers: [.contentType: "application/problem+json", .retryAfter: "3"],
                body: .init(byteBuffer: ByteBuffer(string: "{\"type\":\"/problems/conflict\"}"))
            )
        }
        try await self.withProxy(upstream) { gateway in
            let member = try await gateway.register()
            let answer = try await gateway.door.send("GET", "/api/v1/contacts/5", headers: member.bearer)
            #expect(answer.status == 409)
            #expect(answer.header("Retry-After") == "3")
            #expect(answer.text == "{\"type\":\"/problems/conflict\"}")
        }
    }

    @Test func nothingPassesWithoutRoleAndScope() async throws {
        let upstream = FakeUpstream(Self.echo)
        try await self.withProxy(upstream) { gateway in
            let member = try await gateway.register()
            let anonymous = try await gateway.door.send("GET", "/api/v1/contacts")
            #expect(anonymous.status == 401)
            #expect(anonymous.header("WWW-Authenticate")?.hasPrefix("Bearer") == true)
            let (_, key) = try await gateway.key(of: member, [.contactsRead])
            #expect(try await gateway.door.send("GET", "/api/v1/contacts", headers: [("X-API-Key", key)]).status == 200)
            #expect(try await gateway.door.send("GET", "/api/v1/campaigns", headers: [("X-API-Key", key)]).status == 403)
            try await gateway.setRole(of: member, .viewer)
            let create = try await gateway.door.send("POST", "/api/v1/campaigns", headers: member.bearer, body: ["name": "x"])
            #expect(create.status == 403)
            #expect(upstream.received.map(\.path) == ["/api/v1/contacts"])
        }
    }

    private static let tricks = [
        ("/internal/events", 404), ("/internal/changes", 404), ("/api/v1/nothing", 404), ("/api/v1//contacts", 404),
        ("/api/v1/contacts/", 404), ("/API/v1/contacts", 404), ("/api/v1/%63ontacts", 404), ("http://elsewhere/internal/changes", 404),
        ("/api/v1/contacts/../../../internal/changes", 400), ("/api/v1/contacts/%2e%2e/x", 400), ("/api/v1/contacts/%2e%2e", 400),
        ("/api/v1/contacts/a%2Fb", 400), ("/api/v1/contacts/%00", 400), ("/api/v1/contacts/a%5cb", 400),
        ("/internal/../api/v1/contacts", 400), ("/api/v1/contacts/%zz", 400),
    ]

    @Test func pathTricksReachNothing() async throws {
        let upstream = FakeUpstream(Self.echo)
        try await self.withProxy(upstream) { gateway in
            let member = try await gateway.register()
            for (target, status) in Self.tricks {
                let answer = try await gateway.door.send("GET", target, headers: member.bearer)
                #expect(answer.status == status, "\(target)")
                #expect(answer.header("Content-Type") == "application/problem+json")
            }
            #expect(upstream.received.isEmpty)
        }
    }

    @Test func wrongMethodIsToldWithTheRightOnes() async throws {
        try await withGateway { gateway in
            let answer = try await gateway.door.send("DELETE", "/api/v1/contacts/5")
            #expect(answer.status == 405)
            #expect(answer.header("Allow") == "GET")
        }
    }

    @Test func forwardedAddressesCountOnlyBehindTrustedProxies() async throws {
        let upstream = FakeUpstream(Self.echo)
        try await self.withProxy(upstream, ["TRUSTED_PROXIES": "127.0.0.0/8"]) { gateway in
            let member = try await gateway.register()
            let headers = member.bearer + [("X-Forwarded-For", "6.6.6.6, 203.0.113.9")]
            #expect(try await gateway.door.send("GET", "/api/v1/contacts", headers: headers).status == 200)
            let received = try #require(upstream.received.first)
            let verified = try Self.identities(.campaigns).verify(
                received.headers[.switchboardIdentity],
                method: "GET",
                path: "/api/v1/contacts"
            )
            #expect(verified.identity.clientAddress == "203.0.113.9")
        }
    }
}
