import Foundation
import HTTPTypes
import Synchronization
import Testing

@testable import Transport

@Suite(.timeLimit(.minutes(1))) struct StreamingTests {
    private static func source(of chunks: Int, size: Int, taken: Counter) -> @Sendable () async throws -> [UInt8]? {
        {
            let number = taken.add()
            return number <= chunks ? [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: size) : nil
        }
    }

    @Test func headIsAnsweredBeforeTheBodyHasCome() async throws {
        let goOn = Signal()
        let server = try ScriptedServer { peer, _ in
            guard peer.readRequest() != nil else { return }
            peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
            goOn.block()
            peer.write("3\r\ntwo\r\n0\r\nTrailer-Field: x\r\n\r\n")
        }
        defer { server.stop() }
        try await withClient { client in
            let response = try await client.send(HTTPClientRequest(.get, server.url))
            var chunks = response.body.makeAsyncIterator()
            let first = try await chunks.next()
            #expect(first == Array("one".utf8))
            goOn.set()
            let second = try await chunks.next()
            #expect(second == Array("two".utf8))
            let end = try await chunks.next()
            #expect(end == nil)
            let stillEnd = try await chunks.next()
            #expect(stillEnd == nil)
        }
    }

    /// From the head on, whatever the total would still allow.
    @Test func aBodyThatDripsIsGivenUpWhenItsTimeIsOver() async throws {
        let server = try ScriptedServer { peer, _ in
            guard peer.readRequest() != nil else { return }
            peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while peer.write("1\r\nx\r\n") { Thread.sleep(forTimeInterval: 0.02) }
        }
        defer { server.stop() }
        try await withClient { client in
            var timeouts = Timeouts()
            timeouts.total = nil
            timeouts.body = .milliseconds(300)
            let response = try await client.send(HTTPClientRequest(.get, server.url, timeouts: timeouts))
            var count = 0
            do {
                for try await chunk in response.body { count += chunk.count }
                Issue.record("the body has no end")
            } catch let error as TransportError {
                #expect(error.kind == .timedOut && count > 0)
            }
        }
    }

    @Test func slowReaderHoldsTheSenderBack() async throws {
        let total = 64 << 20
        let written = Counter()
        let server = try ScriptedServer { peer, _ in
            guard peer.readRequest() != nil else { return }
            peer.write("HTTP/1.1 200 OK\r\nContent-Length: \(total)\r\n\r\n")
            let chunk = [UInt8](repeating: 7, count: 64 << 10)
            for _ in 0..<(total / chunk.count) {
                guard peer.write(chunk) else { return }
                written.add(chunk.count)
            }
        }
        defer { server.stop() }
        try await withClient { client in
            let response = try await client.send(HTTPClientRequest(.get, server.url, maximumResponseBytes: total))
            // Nobody reads: our buffer fills to its bound and stays there.
            let buffer = response.body.lease.received
            #expect(await eventually { buffer.buffered >= ReceivedBody.capacity })
            #expect(buffer.buffered <= ReceivedBody.capacity + (64 << 10))
            var before = -1
            // The kernel's buffers fill as well; then the sender stands still, far from its end.
            #expect(
                await eventually {
                    let now = written.value
                    defer { before = now }
                    return now == before && now > 0
                }
            )
            #expect(written.value < total / 2)
            var read = 0
            for try await chunk in response.body { read += chunk.count }
            #expect(read == total)
        }
    }

    @Test func pausedReaderIsNotSilence() async throws {
        let server = try ScriptedServer { peer, _ in
            guard peer.readRequest() != nil else { return }
            peer.respond(body: String(repeating: "x", count: 1 << 20))
        }
        defer { server.stop() }
        try await withClient { client in
            var timeouts = Timeouts()
            timeouts.idle = .seconds(1)
            let response = try await client.send(HTTPClientRequest(.get, server.url, timeouts: timeouts))
            let buffer = response.body.lease.received
            #expect(await eventually { buffer.buffered >= ReceivedBody.capacity })
            // Longer than the idle limit, waited for by the clock because the clock is what is tested.
            try await Task.sleep(for: .milliseconds(1500))
            let received = try await response.collect(upTo: 1 << 20).count
            #expect(received == 1 << 20)
        }
    }

    @Test(arguments: [nil, 5_000_000] as [Int64?])
    func uploadIsStreamed(length: Int64?) async throws {
        let framing = Mutex("")
        let server = try ScriptedServer { peer, _ in
            while let request = peer.readRequest() {
                framing.withLock { $0 = request.headers["transfer-encoding"] ?? request.headers["content-length"] ?? "none" }
                peer.respond(body: "\(request.body.count)")
            }
        }
        defer { server.stop() }
        try await withClient { client in
            for _ in 0..<2 {
                let source = Self.source(of: 50, size: 100_000, taken: Counter())
                let answer = try await client.text(HTTPClientRequest(.post, server.url, body: .stream(length: length, source)))
                #expect(answer.body == "5000000")
                #expect(framing.withLock { $0 } == (length == nil ? "chunked" : "5000000"))
            }
            #expect(server.connections == 1)
        }
    }

    @Test func sourceIsAskedOnlyAsFastAsThePeerTakes() async throws {
        let goOn = Signal()
        let server = try ScriptedServer { peer, _ in
            guard peer.readHead() != nil else { return }
            goOn.block()
            _ = peer.read(64 << 20)
            peer.respond()
        }
        defer { server.stop() }
        let taken = Counter()
        try await withClient { client in
            async let answer = client.text(
                HTTPClientRequest(.post, server.url, body: .stream(length: 64 << 20, Self.source(of: 1024, size: 64 << 10, taken: taken)))
            )
            var before = -1
            #expect(
                await eventually {
                    let now = taken.value
                    defer { before = now }
                    return now == before && now > 0
                }
            )
            #expect(taken.value < 512)
            goOn.set()
            let status = try await answer.status
            #expect(status == 200)
        }
    }

    @Test func sourceIsNotAskedWithoutAConnection() async throws {
        let taken = Counter()
        let closed = try ScriptedServer { _, _ in }
        closed.stop()
        try await withClient { client in
            let request = try HTTPClientRequest(
                .post,
                closed.url,
                body: .stream(length: nil, Self.source(of: 1, size: 1, taken: taken))
            )
            let error = await transportError { try await client.send(request) }
            #expect(error?.kind == .connect && error?.surelyNotSent == true)
            #expect(taken.value == 0)
        }
    }

    @Test func failingSourceFailsTheTransferWithItsOwnError() async throws {
        struct Broken: Error {}
        let server = try ScriptedServer { peer, _ in peer.readToEnd() }
        defer { server.stop() }
        try await withClient { client in
            let first = Mutex(true)
            await #expect(throws: Broken.self) {
                try await client.send(
                    HTTPClientRequest(
                        .post,
                        server.url,
                        body: .stream(length: nil) {
                            let isFirst = first.withLock { first in
                                defer { first = false }
                                return first
                            }
                            guard isFirst else { throw Broken() }
                            return [1, 2, 3]
                        }
                    )
                )
            }
            #expect(await eventually { client.load.inFlight == 0 })
        }
    }

    @Test(arguments: [10, 1000] as [Int64])
    func wrongLengthIsAFault(length: Int64) async throws {
        let server = try ScriptedServer { peer, _ in peer.readToEnd() }
        defer { server.stop() }
        try await withClient { client in
            let source = Self.source(of: 1, size: 100, taken: Counter())
            let error = await transportError {
                try await client.send(HTTPClientRequest(.post, server.url, body: .stream(length: length, source)))
            }
            #expect(error?.kind == .invalidRequest)
        }
    }

    @Test func answerBeforeTheUploadsEndIsTaken() async throws {
        let server = try ScriptedServer { peer, _ in
            guard peer.readHead() != nil else { return }
            peer.respond("413 Content Too Large", headers: "Connection: close\r\n", body: "no")
            peer.readToEnd()
        }
        defer { server.stop() }
        try await withClient { client in
            let waiting = Signal()
            let answer = try await client.text(
                HTTPClientRequest(
                    .post,
                    server.url,
                    body: .stream(length: nil) {
                        await withTaskCancellationHandler {
                            await waiting.wait()
                        } onCancel: {
                            waiting.set()
                        }
                        return nil
                    }
                )
            )
            #expect(answer.status == 413 && answer.body == "no")
        }
    }

    @Test func echoFlowsBothWaysAtOnce() async throws {
        let server = try ScriptedServer { peer, _ in
            guard peer.readHead() != nil else { return }
            peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            while let size = peer.readLine().flatMap({ Int($0, radix: 16) }), let chunk = peer.read(size), peer.readLine() != nil {
                peer.write("\(String(size, radix: 16))\r\n")
                peer.write(chunk)
                peer.write("\r\n")
                if size == 0 { return }
            }
        }
        defer { server.stop() }
        try await withClient { client in
            let source = Self.source(of: 400, size: 10_000, taken: Counter())
            let response = try await client.send(HTTPClientRequest(.post, server.url, body: .stream(length: nil, source)))
            let received = try await response.collect(upTo: 4_000_000).count
            #expect(received == 4_000_000)
        }
    }

    @Test func lettingGoOfTheBodyAbortsTheTransfer() async throws {
        let gone = Signal()
        let server = try ScriptedServer { peer, _ in
            guard peer.readRequest() != nil else { return }
            peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
            peer.readToEnd()
            gone.set()
        }
        defer { server.stop() }
        try await withClient { client in
            _ = try await client.send(HTTPClientRequest(.get, server.url)).head
            await gone.wait()
            #expect(await eventually { client.load.inFlight == 0 })
        }
    }
}
