import HTTPTypes
import Synchronization
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(1))) struct GuardedClientTests {
    @Test(arguments: ["127.0.0.1", "localhost", "2130706433", "127.1", "0x7f.1", "[::ffff:127.0.0.1]"])
    func guardRefusesTheActualAddress(host: String) async throws {
        let server = try HTTPClientTests.echo()
        defer { server.stop() }
        try await withClient(.outside(guard: OutboundGuard(allow: ""))) { client in
            let error = await transportError { try await client.get("http://\(host):\(server.port)/") }
            #expect(error?.kind == .refusedAddress && error?.surelyNotSent == true, "\(String(describing: error))")
            #expect(error?.detail.contains("loopback") == true)
            #expect(server.connections == 0)
        }
    }

    @Test(arguments: ["127.0.0.1", "localhost", "127.1"])
    func ruleOpensTheAddressBehindAName(host: String) async throws {
        let server = try HTTPClientTests.echo()
        defer { server.stop() }
        try await withClient(.outside(guard: OutboundGuard(allow: "127.0.0.0/8:\(server.port)"))) { client in
            let status = try await client.get("http://\(host):\(server.port)/").status
            #expect(status == 200)
        }
    }

    @Test func anotherPortStaysShut() async throws {
        let server = try HTTPClientTests.echo()
        defer { server.stop() }
        try await withClient(.outside(guard: OutboundGuard(allow: "127.0.0.0/8:1"))) { client in
            #expect(await transportError { try await client.get(server.url) }?.kind == .refusedAddress)
            #expect(server.connections == 0)
        }
    }

    @Test func keptConnectionsAreVettedAgain() async throws {
        // The rules are fixed for a client's life, so the second transfer gets stricter ones by hand.
        let server = try HTTPClientTests.echo()
        defer { server.stop() }
        let open = try OutboundGuard(allow: "127.0.0.0/8:\(server.port)")
        let shut = try OutboundGuard(allow: "")
        let loop = CurlLoop<HTTPDriver>(name: "guard-test", maximumConnections: 4) { HTTPDriver(.inside(), load: LoadCounters()) }
        func send(_ rules: OutboundGuard) async throws -> Int {
            let transfer = HTTPTransfer(try CheckedRequest(HTTPClientRequest(.get, server.url)), guardRules: rules)
            let head = try await withUnsafeThrowingContinuation { (answer: UnsafeContinuation<HTTPTransfer.Head, any Error>) in
                if !loop.submit(.send(transfer, { answer.resume(with: $0) })) { answer.resume(throwing: CancellationError()) }
            }
            return head.response.status.code
        }
        let opened = try await send(open)
        #expect(opened == 200)
        #expect(await transportError { try await send(shut) }?.kind == .refusedAddress)
        let openedAgain = try await send(open)
        #expect(openedAgain == 200)
        #expect(server.connections <= 2)
        _ = loop.submit(.stop(deadline: 0))
    }

    // MARK: Turns

    @Test func hangingHostDoesNotHoldTheOthers() async throws {
        let hanging = try ScriptedServer { peer, _ in peer.readToEnd() }
        let quick = try HTTPClientTests.echo()
        defer {
            hanging.stop()
            quick.stop()
        }
        var configuration = try HTTPClient.Configuration.outside(guard: OutboundGuard(allow: "127.0.0.0/8"))
        configuration.maximumInFlight = 8
        configuration.maximumPerHost = 4
        try await withClient(configuration) { client in
            let stuck = (0..<50).map { _ in Task { try await client.get(hanging.url) } }
            #expect(await eventually { client.load.queued == 46 })
            #expect(hanging.connections <= 4)
            for _ in 0..<20 {
                let status = try await client.get(quick.url).status
                #expect(status == 200)
            }
            #expect(client.load.queued == 46)
            for task in stuck { task.cancel() }
            for task in stuck { await #expect(throws: CancellationError.self) { try await task.value } }
        }
    }
}
