import Foundation
import Hummingbird
import Models
import NIOCore
import ServiceKit
import Synchronization
import TestSupport
import Testing

@testable import Gateway

/// Those who hold or flood a connection of HTTP/2: what `SlowClientTests` and `SmugglingTests` show for HTTP/1.1.
@Suite struct HTTP2AttackTests {
    private func withDoor(
        upstream: String = "http://127.0.0.1:1",
        _ change: @escaping @Sendable (inout HouseServer.Settings) -> Void = { _ in },
        _ body: @escaping @Sendable (TestGateway, TestCertificate) async throws -> Void
    ) async throws {
        try await TestCertificate.using { certificate in
            let settings = TestGateway.Settings(
                upstream: upstream,
                variables: certificate.variables,
                server: { settings in
                    settings.connectionLimits.firstByte = .milliseconds(600)
                    settings.connectionLimits.head = .milliseconds(800)
                    settings.connectionLimits.shortBody = .milliseconds(1500)
                    settings.connectionLimits.bodyPause = .milliseconds(600)
                    settings.connectionLimits.stalledAnswer = .milliseconds(800)
                    change(&settings)
                }
            )
            try await withGateway(settings) { try await body($0, certificate) }
        }
    }

    @Test func whoSaysNothingIsEndedBeforeAndBehindTheHandshake() async throws {
        try await self.withDoor { gateway, certificate in
            let silent = try RawConnection(gateway.door)
            #expect(await silent.receive().isClosed)
            let quiet = try await RawHTTP2(gateway, certificate)
            try await eventually("the connection without a request is ended") { quiet.isClosed }
        }
    }

    /// A header block in many frames (CVE-2024-27316 where they have no end), and a frame that does not come whole.
    @Test func aHeadThatDripsIsCutOff() async throws {
        try await self.withDoor { gateway, certificate in
            let answered = try await RawHTTP2(gateway, certificate)
            answered.send(RawHTTP2.frame(1, 5, 1, RawHTTP2.request("GET", "/healthz")))
            try await eventually("an answer") { answered.frames.contains { $0.type == 1 } }
            let half = try await RawHTTP2(gateway, certificate)
            half.send(RawHTTP2.frame(1, 5, 1, RawHTTP2.request("GET", "/healthz")))
            half.send(Array(RawHTTP2.frame(1, 5, 3, RawHTTP2.request("GET", "/healthz")).dropLast(5)))
            let dripping = try await RawHTTP2(gateway, certificate)
            dripping.send(RawHTTP2.frame(1, 1, 1, RawHTTP2.request("GET", "/healthz")))
            let drip = Task {
                while !Task.isCancelled {
                    dripping.send(RawHTTP2.frame(9, 0, 1, RawHTTP2.block([("x-a", "b")])))
                    try await Task.sleep(for: .milliseconds(300))
                }
            }
            defer { drip.cancel() }
            try await eventually("both are cut off") { half.isClosed && dripping.isClosed }
            #expect(!answered.isClosed, "a connection that has nothing half sent may rest")
        }
    }

    @Test func aBodyThatDripsIsCutOffAndTheConnectionGoesOn() async throws {
        try await self.withDoor { gateway, certificate in
            let client = try await RawHTTP2(gateway, certificate)
            let head = RawHTTP2.request("POST", "/api/v1/auth/login", [("content-type", "application/json"), ("content-length", "500")])
            client.send(RawHTTP2.frame(1, 4, 1, head))
            client.send(RawHTTP2.frame(0, 0, 1, [123]))
            try await eventually("the stream is ended") { client.frames.contains { $0.stream == 1 && ($0.isReset || $0.flags & 1 == 1) } }
            client.send(RawHTTP2.frame(1, 5, 3, RawHTTP2.request("GET", "/healthz")))
            try await eventually("the next request is answered") { client.frames.contains { $0.stream == 3 && $0.type == 1 } }
        }
    }

    /// One makes no room for the answer's bytes, the other does not read its socket.
    @Test func whoDoesNotTakeTheAnswerIsCutOff() async throws {
        let upstream = FakeUpstream { _ in
            Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(repeating: 97, count: 24 << 20)))
        }
        try await withUpstream(upstream) { url in
            try await self.withDoor(upstream: url) { gateway, certificate in
                let member = try await gateway.register()
                let head = RawHTTP2.request("GET", "/api/v1/campaigns", [("authorization", "Bearer \(member.accessToken)")])
                let closed = try await RawHTTP2(gateway, certificate)
                closed.send(RawHTTP2.frame(1, 5, 1, head))
                try await eventually("the stream without room is reset") { closed.frames.contains { $0.stream == 1 && $0.isReset } }
                let body = closed.frames.filter { $0.type == 0 }.reduce(0) { $0 + $1.payload.count }
                #expect(body <= 65_535, "no more than the window that it opened")

                let deaf = try await RawHTTP2(gateway, certificate)
                // Window as large as there is, for the stream and the connection.
                deaf.send(RawHTTP2.frame(4, 0, 0, [0, 4, 0x7f, 0xff, 0xff, 0xff]) + RawHTTP2.frame(8, 0, 0, [0x7f, 0xfe, 0, 0]))
                try await deaf.read(false)
                deaf.send(RawHTTP2.frame(1, 5, 1, head))
                // Longer than the server waits for it.
                try await Task.sleep(for: .seconds(3))
                // Fails where the end is known already.
                try? await deaf.read(true)
                try await eventually("the connection that was not read is ended") { deaf.isClosed }
                #expect(deaf.frames.filter { $0.type == 0 }.reduce(0) { $0 + $1.payload.count } < 24 << 20)
                #expect(try await certificate.curl(gateway, "/healthz") == "2 200")
            }
        }
    }

    /// CVE-2023-44487.
    @Test func aFloodOfResetsEndsTheConnection() async throws {
        try await self.withDoor { gateway, certificate in
            let client = try await RawHTTP2(gateway, certificate)
            let head = RawHTTP2.request("GET", "/healthz")
            for number in 0..<UInt32(HTTP2Connection.resets + 50) {
                client.send(RawHTTP2.frame(1, 5, number * 2 + 1, head) + RawHTTP2.frame(3, 0, number * 2 + 1, [0, 0, 0, 8]))
            }
            try await eventually("the connection is ended") { client.isClosed }
            #expect(client.frames.contains { $0.isGoAway && $0.code == 11 }, "ENHANCE_YOUR_CALM")
            #expect(try await certificate.curl(gateway, "/healthz") == "2 200")
        }
    }

    @Test func moreRequestsThanOneConnectionMayHaveAreRefused() async throws {
        let upstream = FakeUpstream { _ in
            try await Task.sleep(for: .seconds(2))
            return Response(status: .ok)
        }
        try await withUpstream(upstream) { url in
            try await self.withDoor(upstream: url) { gateway, certificate in
                let member = try await gateway.register()
                let head = RawHTTP2.request("GET", "/api/v1/campaigns", [("authorization", "Bearer \(member.accessToken)")])
                let client = try await RawHTTP2(gateway, certificate)
                try await eventually("the server's settings") { client.frames.contains { $0.type == 4 && $0.payload.count > 0 } }
                client.send(RawHTTP2.frame(4, 1, 0, []))
                // Each is reset at once but goes on in the house: as many places are taken.
                for number in 0..<UInt32(HTTP2Connection.requests) {
                    client.send(RawHTTP2.frame(1, 5, number * 2 + 1, head) + RawHTTP2.frame(3, 0, number * 2 + 1, [0, 0, 0, 8]))
                }
                client.send(RawHTTP2.frame(1, 5, 2001, head))
                try await eventually("one more is refused") { client.frames.contains { $0.stream == 2001 && $0.isReset && $0.code == 7 } }
                #expect(!client.isClosed)
            }
        }
    }

    @Test func tooManyOrTooLargeHeadersAreRefused() async throws {
        try await self.withDoor { gateway, certificate in
            let many = try await RawHTTP2(gateway, certificate)
            many.send(RawHTTP2.frame(1, 5, 1, RawHTTP2.request("GET", "/healthz", (0..<120).map { ("x-\($0)", "a") })))
            try await eventually("an answer") { many.frames.contains { $0.stream == 1 && $0.type == 1 } }
            #expect(many.frames.contains { String(decoding: $0.payload, as: UTF8.self).contains("at most 100 headers") })

            let large = try await RawHTTP2(gateway, certificate)
            let field = RawHTTP2.block((0..<90).map { ("x-\($0)", String(repeating: "a", count: 120)) })
            large.send(RawHTTP2.frame(1, 1, 1, RawHTTP2.request("GET", "/healthz")))
            for _ in 0..<4 { large.send(RawHTTP2.frame(9, 0, 1, field)) }
            large.send(RawHTTP2.frame(9, 4, 1, []))
            try await eventually("the connection is ended") { large.isClosed }
        }
    }

    @Test(arguments: [
        [(":authority", "localhost"), ("host", "elsewhere.test")], [(":authority", "a b")], [("x-none", "a")], [(":authority", "a/b")],
    ])
    func aHostThatCanBeReadInTwoWaysIsRefused(_ fields: [(String, String)]) async throws {
        try await self.withDoor { gateway, certificate in
            let client = try await RawHTTP2(gateway, certificate)
            let pseudo = fields.filter { $0.0.hasPrefix(":") }
            let others = fields.filter { !$0.0.hasPrefix(":") }
            let block = RawHTTP2.block([(":method", "GET"), (":scheme", "https"), (":path", "/healthz")] + pseudo + others)
            client.send(RawHTTP2.frame(1, 5, 1, block))
            try await eventually("it is refused") {
                client.frames.contains {
                    $0.stream == 1 && ($0.isReset || String(decoding: $0.payload, as: UTF8.self).contains("exactly one Host"))
                }
            }
        }
    }

    @Test func oneAddressHoldsOnlyItsShare() async throws {
        let change: @Sendable (inout HouseServer.Settings) -> Void = { settings in
            settings.connectionsPerAddress = 3
            settings.localAddresses = ["127.0.0.1"].compactMap { AddressRange($0) }
        }
        try await self.withDoor({
            change(&$0); $0.connectionLimits.firstByte = .seconds(30)
        }) { gateway, certificate in
            var held: [RawHTTP2] = []
            for _ in 0..<3 {
                let client = try await RawHTTP2(gateway, certificate, from: "127.0.0.5")
                client.send(RawHTTP2.frame(1, 5, 1, RawHTTP2.request("GET", "/healthz")))
                try await eventually("an answer") { client.frames.contains { $0.type == 1 } }
                held.append(client)
            }
            let fourth = try await RawHTTP2(gateway, certificate, from: "127.0.0.5")
            try await eventually("one too many is closed") { fourth.isClosed }
            #expect(fourth.frames.isEmpty)
            #expect(try await certificate.curl(gateway, "/healthz") == "2 200")
            for client in held { client.close() }
        }
    }

    @Test func aServerThatStopsSaysSoAndEndsWhatItHasBegun() async throws {
        let upstream = FakeUpstream { _ in
            try await Task.sleep(for: .seconds(1))
            return Response(status: .ok, body: ResponseBody(byteBuffer: ByteBuffer(string: "last words")))
        }
        let clients = ClientBox()
        try await withUpstream(upstream) { url in
            try await self.withDoor(upstream: url, { $0.connectionLimits.firstByte = .seconds(30) }) { gateway, certificate in
                let member = try await gateway.register()
                let client = try await RawHTTP2(gateway, certificate)
                clients.keep(client)
                let head = RawHTTP2.request("GET", "/api/v1/campaigns", [("authorization", "Bearer \(member.accessToken)")])
                client.send(RawHTTP2.frame(1, 5, 1, head))
                try await eventually("the request is under way") { !upstream.received.isEmpty }
                // Answers the ping between the two GOAWAYs.
                clients.answerPings()
            }
        }
        let client = try #require(clients.client)
        try await eventually("the connection is ended") { client.isClosed }
        #expect(client.frames.contains { $0.isGoAway && $0.code == 0 })
        #expect(client.frames.contains { $0.stream == 1 && String(decoding: $0.payload, as: UTF8.self).contains("last words") })
    }

    @Test func framesAreFollowedHoweverTheyArrive() {
        let bytes =
            RawHTTP2.preface + RawHTTP2.frame(4, 0, 0, []) + RawHTTP2.frame(1, 1, 1, [1, 2, 3]) + RawHTTP2.frame(9, 4, 1, [4])
            + RawHTTP2.frame(0, 0, 1, [5, 6, 7])
        for size in [1, 2, 5, 9, 1_000] {
            var reader = FrameReader()
            var midway: [Bool] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                reader.consume(bytes[start..<min(start + size, bytes.count)])
                midway.append(reader.isMidway)
            }
            #expect(reader.blocks == 1 && reader.wholes == 3, "\(size)")
            #expect(midway.last == false, "\(size)")
        }
        var reader = FrameReader()
        reader.consume(RawHTTP2.preface + RawHTTP2.frame(1, 1, 1, [1]))
        #expect(reader.isMidway, "the block goes on")
        reader.consume(RawHTTP2.frame(9, 4, 1, []))
        #expect(!reader.isMidway)
        reader.consume(Array(RawHTTP2.frame(0, 0, 1, [1, 2, 3]).dropLast(1)))
        #expect(!reader.isMidway, "a body has a pace of its own")
    }
}

/// A client that outlives the server of its test.
private final class ClientBox: Sendable {
    private let kept = Mutex<RawHTTP2?>(nil)

    var client: RawHTTP2? { self.kept.withLock { $0 } }

    func keep(_ client: RawHTTP2) { self.kept.withLock { $0 = client } }

    func answerPings() {
        guard let client else { return }
        Task {
            var answered = 0
            while !client.isClosed {
                let pings = client.frames.filter { $0.type == 6 && $0.flags & 1 == 0 }
                for ping in pings.dropFirst(answered) { client.send(RawHTTP2.frame(6, 1, 0, ping.payload)) }
                answered = pings.count
                try await Task.sleep(for: .milliseconds(20))
            }
        }
    }
}
