import Foundation
import HTTPTypes
import Logging
import Synchronization
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(1))) struct FailureTests {
    private static func timeouts(connect: Duration = .seconds(5), total: Duration? = .seconds(30), idle: Duration = .seconds(30))
        -> Timeouts
    {
        var timeouts = Timeouts()
        timeouts.connect = connect
        timeouts.total = total
        timeouts.idle = idle
        return timeouts
    }

    /// Reads requests and never answers.
    static func silent(_ begun: Signal? = nil, _ gone: Signal? = nil) throws -> ScriptedServer {
        try ScriptedServer { peer, _ in
            _ = peer.readRequest()
            begun?.set()
            peer.readToEnd()
            gone?.set()
        }
    }

    // MARK: Time-outs

    @Test func connectTimeOutIsSurelyNotSent() async throws {
        // A listener whose backlog is full answers no more SYNs: a black hole on this machine.
        let hole = try BlackHole()
        defer { hole.close() }
        try await withClient { client in
            let error = await transportError { try await client.get(hole.url, timeouts: Self.timeouts(connect: .milliseconds(200))) }
            #expect(error?.kind == .timedOut && error?.surelyNotSent == true)
            #expect(await eventually { client.load.inFlight == 0 })
        }
    }

    @Test func totalTimeOutIsNotSurelyUnsent() async throws {
        let server = try Self.silent()
        defer { server.stop() }
        try await withClient { client in
            let error = await transportError { try await client.get(server.url, timeouts: Self.timeouts(total: .milliseconds(200))) }
            #expect(error?.kind == .timedOut && error?.surelyNotSent == false)
        }
    }

    @Test func totalTimeOutCountsTheWaitForAPlace() async throws {
        let begun = Signal()
        let server = try Self.silent(begun)
        defer { server.stop() }
        var configuration = HTTPClient.Configuration.inside()
        configuration.maximumInFlight = 1
        try await withClient(configuration) { client in
            async let first = transportError { try await client.get(server.url, timeouts: Self.timeouts(total: .seconds(2))) }
            await begun.wait()
            let error = await transportError { try await client.get(server.url, timeouts: Self.timeouts(total: .milliseconds(100))) }
            #expect(error?.kind == .busy && error?.surelyNotSent == true)
            let late = await first
            #expect(late?.surelyNotSent == false)
        }
    }

    @Test func idleTimeOutEndsASilentBody() async throws {
        let server = try ScriptedServer { peer, _ in
            _ = peer.readRequest()
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            peer.readToEnd()
        }
        defer { server.stop() }
        try await withClient { client in
            let response = try await client.send(
                HTTPClientRequest(.get, server.url, timeouts: Self.timeouts(total: nil, idle: .milliseconds(200)))
            )
            let error = await transportError { try await response.collect(upTo: 100) }
            #expect(error?.kind == .timedOut && error?.surelyNotSent == false)
        }
    }

    // MARK: Cancellation

    @Test func cancellingFreesThePlaceAndCutsTheConnection() async throws {
        let begun = Signal()
        let gone = Signal()
        let server = try Self.silent(begun, gone)
        defer { server.stop() }
        var configuration = HTTPClient.Configuration.inside()
        configuration.maximumInFlight = 1
        try await withClient(configuration) { client in
            let task = Task { try await client.get(server.url) }
            await begun.wait()
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            await gone.wait()
            #expect(await eventually { client.load == TransportLoad(inFlight: 0, queued: 0) })
        }
    }

    @Test func cancelledBeforeItBeganIsNotSent() async throws {
        let server = try HTTPClientTests.echo()
        defer { server.stop() }
        try await withClient { client in
            for _ in 0..<100 {
                let task = Task {
                    withUnsafeCurrentTask { $0?.cancel() }
                    return try await client.get(server.url)
                }
                await #expect(throws: CancellationError.self) { try await task.value }
            }
            #expect(await eventually { client.load == TransportLoad(inFlight: 0, queued: 0) })
        }
    }

    @Test func cancelledWhileWaitingLeavesTheQueue() async throws {
        let begun = Signal()
        let server = try Self.silent(begun)
        defer { server.stop() }
        var configuration = HTTPClient.Configuration.inside()
        configuration.maximumInFlight = 1
        try await withClient(configuration) { client in
            let first = Task { try await client.get(server.url) }
            await begun.wait()
            let waiting = (0..<300).map { _ in Task { try await client.get(server.url) } }
            #expect(await eventually { client.load.queued == 300 })
            for task in waiting { task.cancel() }
            for task in waiting { await #expect(throws: CancellationError.self) { try await task.value } }
            #expect(await eventually { client.load == TransportLoad(inFlight: 1, queued: 0) })
            first.cancel()
            await #expect(throws: CancellationError.self) { try await first.value }
        }
    }

    @Test func cancellingTheReaderOfABodyAbortsIt() async throws {
        let gone = Signal()
        let server = try ScriptedServer { peer, _ in
            _ = peer.readRequest()
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
            peer.readToEnd()
            gone.set()
        }
        defer { server.stop() }
        try await withClient { client in
            let started = Signal()
            let task = Task {
                var iterator = try await client.send(HTTPClientRequest(.get, server.url)).body.makeAsyncIterator()
                _ = try await iterator.next()
                started.set()
                return try await iterator.next()
            }
            await started.wait()
            task.cancel()
            await #expect(throws: CancellationError.self) { try await task.value }
            await gone.wait()
        }
    }

    // MARK: Cut connections

    @Test func cutInTheMiddleOfTheBodyIsLost() async throws {
        let server = try ScriptedServer { peer, _ in
            _ = peer.readRequest()
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        }
        defer { server.stop() }
        try await withClient { client in
            let error = await transportError { try await client.get(server.url) }
            #expect(error?.kind == .connectionLost && error?.surelyNotSent == false)
        }
    }

    @Test func cutInTheMiddleOfAChunkIsLost() async throws {
        let server = try ScriptedServer { peer, _ in
            _ = peer.readRequest()
            peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab")
        }
        defer { server.stop() }
        try await withClient { client in
            #expect(await transportError { try await client.get(server.url) }?.kind == .connectionLost)
        }
    }

    @Test(arguments: [HTTPRequest.Method.get, .post])
    func cutBeforeAnyAnswerIsNotSurelyUnsent(method: HTTPRequest.Method) async throws {
        let server = try ScriptedServer { peer, _ in _ = peer.readRequest() }
        defer { server.stop() }
        try await withClient { client in
            let error = await transportError { try await client.text(HTTPClientRequest(method, server.url)) }
            #expect(error?.kind == .connectionLost && error?.surelyNotSent == false)
            #expect(server.connections == 1)
        }
    }

    /// The server takes the second request on a kept connection and cuts.
    private static func cuttingTheSecond(_ taken: Counter) throws -> ScriptedServer {
        try ScriptedServer { peer, number in
            while peer.readRequest() != nil {
                let count = taken.add()
                if number == 0, count == 2 { return peer.reset() }
                peer.respond(body: "\(count)")
            }
        }
    }

    @Test func postIsNeverRepeatedOnceItWasWritten() async throws {
        let taken = Counter()
        let server = try Self.cuttingTheSecond(taken)
        defer { server.stop() }
        try await withClient { client in
            for body in [HTTPClientRequest.Body.none, .bytes([1]), .stream(length: nil) { nil }] {
                taken.reset()
                let request = try HTTPClientRequest(.post, server.url, body: body)
                let first = try? await client.text(request)
                guard first != nil, server.connections == 1 else { continue }
                let error = await transportError { try await client.text(request) }
                #expect(error?.kind == .connectionLost && error?.surelyNotSent == false)
                #expect(taken.value == 2)
            }
        }
    }

    @Test(arguments: [HTTPRequest.Method.get, .put])
    func idempotentRequestIsRepeatedOnANewConnection(method: HTTPRequest.Method) async throws {
        let taken = Counter()
        let server = try Self.cuttingTheSecond(taken)
        defer { server.stop() }
        try await withClient { client in
            let request = try HTTPClientRequest(method, server.url, body: method == .put ? .bytes([1, 2, 3]) : .none)
            let first = try await client.text(request).body
            #expect(first == "1")
            let repeated = try await client.text(request).body
            #expect(repeated == "3")
            #expect(server.connections == 2)
        }
    }

    @Test func nobodyListensIsSurelyNotSent() async throws {
        let server = try ScriptedServer { _, _ in }
        server.stop()
        try await withClient { client in
            let error = await transportError { try await client.get(server.url) }
            #expect(error?.kind == .connect && error?.surelyNotSent == true)
        }
    }

    @Test func unknownNameIsSurelyNotSent() async throws {
        try await withClient { client in
            let error = await transportError { try await client.get("http://nowhere.invalid/") }
            #expect(error?.kind == .resolve && error?.surelyNotSent == true)
        }
    }

    @Test func plainServerBehindHTTPSIsATLSErrorAndSurelyNotSent() async throws {
        let server = try ScriptedServer { peer, _ in
            _ = peer.readLine()
            peer.respond("400 Bad Request")
        }
        defer { server.stop() }
        try await withClient { client in
            let error = await transportError { try await client.get("https://127.0.0.1:\(server.port)/") }
            #expect(error?.kind == .tls && error?.surelyNotSent == true)
        }
    }
}
