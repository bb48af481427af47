import Foundation
import HTTPTypes
import Synchronization
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(1))) struct HTTPClientTests {
    /// Answers every request on a connection with its line and body.
    static func echo() throws -> ScriptedServer {
        try ScriptedServer { peer, _ in
            while let request = peer.readRequest() {
                peer.respond(body: request.line + "|" + String(decoding: request.body, as: UTF8.self))
            }
        }
    }

    @Test func aTargetDoesNotShowItsPath() throws {
        let target = try HTTPTarget("https://hooks.example.com:444/a1b2?key=c3")
        var dumped = ""
        dump(target, to: &dumped)
        #expect("\(target)" == "https://hooks.example.com:444/***")
        #expect(!dumped.contains("a1b2") && !"\(String(reflecting: target))".contains("c3"))
    }

    @Test func connectionsAreUsedAgain() async throws {
        let server = try Self.echo()
        defer { server.stop() }
        try await withClient { client in
            for number in 0..<20 {
                let answer = try await client.get("\(server.url)/\(number)")
                #expect(answer.body == "GET /\(number) HTTP/1.1|")
            }
            #expect(server.connections == 1)
        }
    }

    @Test func thousandCallersAllGetTheirAnswerThroughTheCap() async throws {
        let server = try Self.echo()
        defer { server.stop() }
        try await withClient { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for number in 0..<1000 {
                    group.addTask {
                        let answer = try await client.text(
                            HTTPClientRequest(.post, "\(server.url)/", body: .bytes(Array("n\(number)".utf8)))
                        )
                        #expect(answer.body == "POST / HTTP/1.1|n\(number)")
                    }
                }
                try await group.waitForAll()
            }
            #expect(server.connections <= 64)
            #expect(await eventually { client.load == TransportLoad(inFlight: 0, queued: 0) })
        }
    }

    @Test(arguments: ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
    func methodsAndBodiesArriveAsTheyAre(method: String) async throws {
        let server = try Self.echo()
        defer { server.stop() }
        try await withClient { client in
            let verb = try #require(HTTPRequest.Method(method))
            let full = try await client.text(HTTPClientRequest(verb, "\(server.url)/a/../b?c=%20d#e", body: .bytes([0x78])))
            #expect(full.body == "\(method) /a/../b?c=%20d HTTP/1.1|x")
            let empty = try await client.text(HTTPClientRequest(verb, "\(server.url)"))
            #expect(empty.body == "\(method) / HTTP/1.1|")
        }
    }

    @Test func headAnswersWithoutWaitingForABody() async throws {
        let server = try ScriptedServer { peer, _ in
            while peer.readRequest() != nil { peer.write("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n") }
        }
        defer { server.stop() }
        try await withClient { client in
            for _ in 0..<2 {
                let response = try await client.send(HTTPClientRequest(.head, server.url))
                #expect(response.head.headerFields[.contentLength] == "99999999")
                let body = try await response.collect(upTo: 0)
                #expect(body.isEmpty)
            }
            #expect(server.connections == 1)
        }
    }

    @Test(arguments: ["204 No Content", "304 Not Modified"])
    func statusesWithoutBodyEndAtTheHead(status: String) async throws {
        let server = try ScriptedServer { peer, _ in
            while peer.readRequest() != nil { peer.write("HTTP/1.1 \(status)\r\n\r\n") }
        }
        defer { server.stop() }
        try await withClient { client in
            for _ in 0..<2 {
                let body = try await client.get(server.url).body
                #expect(body.isEmpty)
            }
            #expect(server.connections == 1)
        }
    }

    @Test func interimAnswersAreSkipped() async throws {
        let server = try ScriptedServer { peer, _ in
            guard peer.readRequest() != nil else { return }
            peer.write("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n")
            peer.respond("201 Created", headers: "X-Real: yes\r\n", body: "made")
        }
        defer { server.stop() }
        try await withClient { client in
            let response = try await client.send(HTTPClientRequest(.get, server.url))
            #expect(response.head.status == .created)
            #expect(response.head.headerFields[HTTPField.Name("Link")!] == nil)
            #expect(response.head.headerFields[HTTPField.Name("X-Real")!] == "yes")
            #expect(response.peer == "127.0.0.1:\(server.port)")
        }
    }

    @Test func redirectsAreAnsweredNotFollowed() async throws {
        let other = try Self.echo()
        let server = try ScriptedServer { peer, _ in
            while peer.readRequest() != nil { peer.respond("302 Found", headers: "Location: \(other.url)/stolen\r\n") }
        }
        defer {
            server.stop()
            other.stop()
        }
        try await withClient { client in
            let response = try await client.send(HTTPClientRequest(.get, server.url, headers: [.authorization: "Bearer secret"]))
            #expect(response.head.status == .found)
            #expect(response.head.headerFields[.location] == "\(other.url)/stolen")
            #expect(other.connections == 0)
        }
    }

    @Test func onlyAskedHeadersAreSent() async throws {
        let seen = Mutex<[String: String]>([:])
        let server = try ScriptedServer { peer, _ in
            while let request = peer.readRequest() {
                seen.withLock { $0 = request.headers }
                peer.respond()
            }
        }
        defer { server.stop() }
        try await withClient { client in
            let headers: HTTPFields = [
                HTTPField.Name("X-Empty")!: "", HTTPField.Name("X-Custom")!: "näh", .transferEncoding: "chunked", .contentLength: "7",
                .expect: "100-continue", .connection: "close",
            ]
            _ = try await client.text(HTTPClientRequest(.post, server.url, headers: headers, body: .bytes([1, 2, 3])))
            #expect(
                seen.withLock { $0 } == [
                    "host": "127.0.0.1:\(server.port)", "user-agent": "Switchboard", "accept": "*/*", "x-empty": "", "x-custom": "näh",
                    "content-length": "3",
                ]
            )
        }
    }

    @Test func lineBreaksCannotSmuggleHeaders() async throws {
        let seen = Mutex<[String: String]>([:])
        let server = try ScriptedServer { peer, _ in
            while let request = peer.readRequest() {
                seen.withLock { $0 = request.headers }
                peer.respond()
            }
        }
        defer { server.stop() }
        try await withClient { client in
            _ = try await client.text(HTTPClientRequest(.get, server.url, headers: [HTTPField.Name("X-A")!: "a\r\nX-Evil: yes"]))
            #expect(seen.withLock { $0["x-evil"] } == nil)
            for path in ["/a b", "/a\r\nX-Evil: 1", "/\u{e9}", "a", "/a#b"] {
                var request = try HTTPClientRequest(.get, server.url)
                request.head.path = path
                let error = await transportError { try await client.send(request) }
                #expect(error?.kind == .invalidRequest && error?.surelyNotSent == true, "\(path)")
            }
            var request = try HTTPClientRequest(.get, server.url)
            request.head.authority = "user:secret@127.0.0.1:\(server.port)"
            #expect(await transportError { try await client.send(request) }?.kind == .invalidRequest)
        }
    }

    @Test func proxiesOfTheEnvironmentDoNotCount() async throws {
        let proxy = try Self.echo()
        let server = try Self.echo()
        defer {
            proxy.stop()
            server.stop()
            for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] { unsetenv(name) }
        }
        for name in ["http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"] { setenv(name, proxy.url, 1) }
        try await withClient { client in
            let answer = try await client.get("\(server.url)/x")
            #expect(answer.body == "GET /x HTTP/1.1|")
            #expect(proxy.connections == 0)
        }
    }

    @Test func otherProtocolsAndUserInfoAreRefused() {
        for url in [
            "ftp://example.com/", "file:///etc/passwd", "gopher://x/", "example.com", "", "http://", "https://u:p@example.com/",
            "http:// x/",
        ] {
            #expect(throws: TransportError.self, "\(url)") { try HTTPClientRequest(.get, url) }
        }
    }
}
