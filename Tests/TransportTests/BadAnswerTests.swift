import Foundation
import HTTPTypes
import Logging
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(1))) struct BadAnswerTests {
    @Test(arguments: ["Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3e8\r\n"])
    func largerThanAllowedIsRefused(framing: String) async throws {
        let server = try ScriptedServer { peer, _ in
            _ = peer.readRequest()
            peer.write("HTTP/1.1 200 OK\r\n\(framing)" + String(repeating: "x", count: 1000))
            peer.readToEnd()
        }
        defer { server.stop() }
        try await withClient { client in
            let error = await transportError { try await client.text(HTTPClientRequest(.get, server.url, maximumResponseBytes: 999)) }
            #expect(error?.kind == .tooLarge && error?.surelyNotSent == false)
        }
    }

    @Test(arguments: ["hello\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", "HTTP/1.1 2\r\n\r\n"])
    func whatIsNoAnswerIsAnError(answer: String) async throws {
        let server = try ScriptedServer { peer, _ in
            _ = peer.readRequest()
            peer.write(answer)
        }
        defer { server.stop() }
        try await withClient { client in
            let error = await transportError { try await client.get(server.url) }
            #expect(error?.kind == .protocolError && error?.surelyNotSent == false, "\(String(describing: error))")
        }
    }

    @Test func endlessHeadIsRefused() async throws {
        let server = try ScriptedServer { peer, _ in
            _ = peer.readRequest()
            peer.write("HTTP/1.1 200 OK\r\n")
            while peer.write("X-More: \(String(repeating: "y", count: 1000))\r\n") {}
        }
        defer { server.stop() }
        try await withClient { client in
            #expect(await transportError { try await client.get(server.url) }?.kind == .protocolError)
        }
    }

    // MARK: Shutdown

    @Test func shutdownLetsTransfersEndAndRefusesNewOnes() async throws {
        let begun = Signal()
        let goOn = Signal()
        let server = try ScriptedServer { peer, _ in
            _ = peer.readRequest()
            begun.set()
            goOn.block()
            peer.respond(body: "done")
        }
        defer { server.stop() }
        let client = HTTPClient(.inside(), logger: Logger(label: "test"))
        async let answer = client.get(server.url)
        await begun.wait()
        async let stopped: Void = client.shutdown(within: .seconds(10))
        #expect(
            await eventually {
                goOn.set()
                return true
            }
        )
        let body = try await answer.body
        #expect(body == "done")
        await stopped
        let error = await transportError { try await client.get(server.url) }
        #expect(error?.kind == .shuttingDown && error?.surelyNotSent == true)
        await client.shutdown(within: .seconds(10))
    }

    @Test func shutdownAbortsWhatIsLateAndRefusesWhatWaits() async throws {
        let begun = Signal()
        let server = try FailureTests.silent(begun)
        defer { server.stop() }
        var configuration = HTTPClient.Configuration.inside()
        configuration.maximumInFlight = 1
        let client = HTTPClient(configuration, logger: Logger(label: "test"))
        async let first = transportError { try await client.get(server.url) }
        await begun.wait()
        async let second = transportError { try await client.get(server.url) }
        #expect(await eventually { client.load.queued == 1 })
        await client.shutdown(within: .milliseconds(100))
        let (late, waiting) = await (first, second)
        #expect(late?.kind == .shuttingDown && late?.surelyNotSent == false)
        #expect(waiting?.kind == .shuttingDown && waiting?.surelyNotSent == true)
    }

    @Test func clientsThatAreLetGoStopTheirThread() async throws {
        let server = try HTTPClientTests.echo()
        defer { server.stop() }
        for _ in 0..<20 {
            let client = HTTPClient(.inside(), logger: Logger(label: "test"))
            _ = try await client.get(server.url)
        }
        #expect(await eventually { (try? threads(named: "http-inside")) == 0 || (try? threads(named: "http-inside")) ?? 99 < 20 })
    }
}
