import Foundation
import Hummingbird
import Models
import NIOCore
import ServiceKit
import Testing

@testable import Gateway

/// Requests that two servers could read differently. Each must be one request for everybody, or none.
@Suite struct SmugglingTests {
    private static let smuggled = "GET /api/v1/campaigns/666 HTTP/1.1\r\nHost: x\r\nX-API-Key: stolen\r\n\r\n"

    /// Head fields of a POST, and what follows the head.
    private static let attempts: [(name: String, fields: String, rest: String)] = [
        ("length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + smuggled),
        ("chunks and length", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n" + smuggled),
        ("two lengths", "Content-Length: 2\r\nContent-Length: \(2 + smuggled.utf8.count)\r\n", "{}" + smuggled),
        ("the same length twice", "Content-Length: 2\r\nContent-Length: 2\r\n", "{}" + smuggled),
        ("a list of lengths", "Content-Length: 2, 2\r\n", "{}" + smuggled),
        ("a signed length", "Content-Length: +2\r\n", "{}" + smuggled),
        ("a negative length", "Content-Length: -2\r\n", "{}" + smuggled),
        ("a hexadecimal length", "Content-Length: 0x2\r\n", "{}" + smuggled),
        ("a length beyond 64 bits", "Content-Length: 99999999999999999999\r\n", "{}" + smuggled),
        ("a length beyond any body", "Content-Length: 9223372036854775807\r\n", "{}" + smuggled),
        ("an empty length", "Content-Length:\r\n", smuggled),
        ("another coding", "Transfer-Encoding: identity\r\n", "2\r\n{}\r\n0\r\n\r\n" + smuggled),
        ("a misspelt coding", "Transfer-Encoding: xchunked\r\n", "2\r\n{}\r\n0\r\n\r\n" + smuggled),
        ("chunked not last", "Transfer-Encoding: chunked, gzip\r\n", "2\r\n{}\r\n0\r\n\r\n" + smuggled),
        ("two codings", "Transfer-Encoding: gzip, chunked\r\n", "2\r\n{}\r\n0\r\n\r\n" + smuggled),
        ("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n" + smuggled),
        ("a coding in quotes", "Transfer-Encoding: \"chunked\"\r\n", "2\r\n{}\r\n0\r\n\r\n" + smuggled),
        ("a coding behind a control character", "Transfer-Encoding: \u{0B}chunked\r\n", "2\r\n{}\r\n0\r\n\r\n" + smuggled),
        ("a space before the colon", "Transfer-Encoding : chunked\r\n", "2\r\n{}\r\n0\r\n\r\n" + smuggled),
        ("a folded field", "X-Fold: a\r\n Transfer-Encoding: chunked\r\n", smuggled),
        ("a bare LF", "X-A: b\nTransfer-Encoding: chunked\r\n", "2\r\n{}\r\n0\r\n\r\n" + smuggled),
        ("a bare CR", "X-A: b\rContent-Length: 2\r\n", "{}" + smuggled),
        ("NUL in a value", "X-A: b\u{0}c\r\n", smuggled),
        ("a field without a name", ": x\r\n", smuggled),
        ("a second Host", "Host: admin.internal\r\n", smuggled),
        ("a list of Hosts", "X-A: 1\r\nHost: a, b\r\n", smuggled),
    ]

    private static let echo: @Sendable (FakeUpstream.Received) async throws -> Response = { _ in Response(status: .ok) }

    @Test func nothingIsSmuggledPastTheAuthorization() async throws {
        let upstream = FakeUpstream(Self.echo)
        try await withUpstream(upstream) { url in
            try await withGateway(.init(upstream: url)) { gateway in
                let member = try await gateway.register()
                for (name, fields, rest) in Self.attempts {
                    let seen = upstream.received.count
                    let connection = try RawConnection(gateway.door)
                    connection.send(
                        "POST /api/v1/campaigns HTTP/1.1\r\nHost: gateway.test\r\nContent-Type: application/json\r\n"
                            + "Authorization: Bearer \(member.accessToken)\r\n\(fields)\r\n\(rest)"
                    )
                    let received = await connection.receive()
                    #expect(received.statuses == [400], "\(name): \(received.text.prefix(300))")
                    #expect(received.isClosed, "\(name)")
                    #expect(upstream.received.count == seen, "\(name)")
                }
            }
        }
    }

    /// Where the head is clear and the chunks are not, the request is refused or cut off, and nothing behind it counts.
    @Test(arguments: [
        "5;a=b\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n", "-5\r\nhello\r\n0\r\n\r\n",
        "FFFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", "5\r\nhelloGET / HTTP/1.1\r\n0\r\n\r\n", " 5\r\nhello\r\n0\r\n\r\n",
    ]) func brokenChunksEndTheConnection(_ chunks: String) async throws {
        let upstream = FakeUpstream(Self.echo)
        try await withUpstream(upstream) { url in
            try await withGateway(.init(upstream: url)) { gateway in
                let member = try await gateway.register()
                let connection = try RawConnection(gateway.door)
                connection.send(
                    "POST /api/v1/campaigns HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                        + "Authorization: Bearer \(member.accessToken)\r\n\r\n" + chunks + Self.smuggled
                )
                let received = await connection.receive()
                #expect(received.statuses == [400], "\(received.text.prefix(300))")
                #expect(received.isClosed)
                #expect(upstream.received.isEmpty)
            }
        }
    }

    /// The house's own routes are answered before a body is read: they must not be answered twice.
    @Test(arguments: [
        "Transfer-Encoding: xchunked\r\n", "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    ]) func badFramingIsAnsweredOnce(_ fields: String) async throws {
        try await withGateway { gateway in
            for target in ["/healthz", "/api/v1/openapi.json", "/nothing"] {
                let connection = try RawConnection(gateway.door)
                connection.send("GET \(target) HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\(Self.smuggled)")
                let received = await connection.receive()
                #expect(received.statuses == [400], "\(target)")
                #expect(received.isClosed, "\(target)")
                #expect(received.text.contains("application/problem+json"))
            }
        }
    }

    /// A good request before a bad one is answered; the bad one is refused behind it.
    @Test func answersComeInTheOrderOfTheirRequests() async throws {
        try await withGateway { gateway in
            let connection = try RawConnection(gateway.door)
            connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            let received = await connection.receive()
            #expect(received.statuses == [200, 400])
            #expect(received.isClosed)
        }
    }

    @Test(arguments: [
        "GET /healthz HTTP/1.1\r\n\r\n", "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: user@a\r\n\r\n", "GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}\u{1}\u{FC}\u{3}\u{3}", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "GET /healthz\r\n\r\n",
    ]) func whatIsNoRequestIsRefused(_ text: String) async throws {
        try await withGateway { gateway in
            let connection = try RawConnection(gateway.door)
            connection.send(text)
            let received = await connection.receive()
            #expect(received.statuses == [400], "\(received.text)")
            #expect(received.isClosed)
        }
    }

    @Test(arguments: [
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close, X-Other\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: X, Close\r\n\r\n",
        "GET /healthz HTTP/1.0\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ]) func theConnectionEndsWhereTheClientAskedForIt(_ request: String) async throws {
        try await withGateway { gateway in
            let connection = try RawConnection(gateway.door)
            connection.send(request + "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            let received = await connection.receive()
            #expect(received.statuses == [200], "\(received.text)")
            #expect(received.isClosed)
            #expect(received.text.lowercased().contains("\r\nconnection: close\r\n"))
        }
    }

    @Test func headIsGetWithoutABody() async throws {
        let upstream = FakeUpstream { _ in
            Response(
                status: .ok,
                headers: [.contentType: "text/plain"],
                body: ResponseBody { writer in
                    try await writer.write(ByteBuffer(string: "twelve bytes"))
                    try await writer.finish(nil)
                }
            )
        }
        try await withUpstream(upstream) { url in
            try await withGateway(.init(upstream: url)) { gateway in
                let member = try await gateway.register()
                let connection = try RawConnection(gateway.door)
                let authorization = "Authorization: Bearer \(member.accessToken)\r\n"
                connection.send(
                    "HEAD /api/v1/auth/me HTTP/1.1\r\nHost: x\r\n\(authorization)\r\n"
                        + "HEAD /api/v1/contacts HTTP/1.1\r\nHost: x\r\n\(authorization)\r\n"
                        + "HEAD /api/v1/auth/login HTTP/1.1\r\nHost: x\r\n\r\n" + "HEAD /api/v1/contacts HTTP/1.1\r\nHost: x\r\n\r\n"
                        + "HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                )
                let received = await connection.receive()
                #expect(received.statuses == [200, 200, 405, 401, 200])
                let answers = received.text.components(separatedBy: "\r\n\r\n")
                #expect(answers.count == 6, "heads alone: \(received.text)")
                #expect(answers[1].lowercased().contains("content-length: 12"))
                #expect(upstream.received.map(\.method) == ["GET"])
            }
        }
    }
}
