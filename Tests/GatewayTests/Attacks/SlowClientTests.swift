import Foundation
import Hummingbird
import Models
import ServiceKit
import TestSupport
import Testing

@testable import Gateway

/// Those who hold places: slowly, silently, or by their number.
@Suite struct SlowClientTests {
    private static func quick(_ change: @escaping @Sendable (inout HouseServer.Settings) -> Void = { _ in }) -> TestGateway.Settings {
        TestGateway.Settings(server: { settings in
            settings.connectionLimits.firstByte = .milliseconds(400)
            settings.connectionLimits.head = .milliseconds(800)
            settings.connectionLimits.shortBody = .milliseconds(1500)
            settings.connectionLimits.bodyPause = .milliseconds(600)
            change(&settings)
        })
    }

    private func duration(_ body: () async throws -> Void) async rethrows -> Duration {
        let start = ContinuousClock.now
        try await body()
        return ContinuousClock.now - start
    }

    @Test func aSilentConnectionIsEnded() async throws {
        try await withGateway(Self.quick()) { gateway in
            let time = try await self.duration {
                let received = try await RawConnection(gateway.door).receive()
                #expect(received.isClosed)
                #expect(received.text.isEmpty)
            }
            #expect((.milliseconds(350)..<(.seconds(5))).contains(time))
        }
    }

    /// One byte now and then: the head's time counts from its first.
    @Test(arguments: ["GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: aaaaaaaaaaaaaaaa", String(repeating: "\r\n", count: 20)])
    func aHeadThatDripsIsCutOff(_ text: String) async throws {
        try await withGateway(Self.quick()) { gateway in
            let connection = try RawConnection(gateway.door)
            let dripping = Task {
                for byte in text.utf8 {
                    guard connection.send([byte]) else { return }
                    try await Task.sleep(for: .milliseconds(100))
                }
            }
            let time = await self.duration {
                let received = await connection.receive()
                #expect(received.isClosed)
                #expect(received.text.isEmpty)
            }
            dripping.cancel()
            #expect((.milliseconds(700)..<(.seconds(6))).contains(time))
        }
    }

    @Test func aConnectionThatWasAnsweredMayRest() async throws {
        try await withGateway(Self.quick()) { gateway in
            let connection = try RawConnection(gateway.door)
            for _ in 0..<2 {
                connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
                let received = await connection.receive(within: .milliseconds(1300))
                #expect(received.statuses == [200])
                #expect(!received.isClosed)
            }
        }
    }

    /// A pause, and a trickle whose pauses are short: both get one answer and the end.
    @Test(arguments: [0, 40]) func aBodyThatDripsIsRefused(_ bytes: Int) async throws {
        let upstream = FakeUpstream { _ in Response(status: .ok) }
        try await withUpstream(upstream) { url in
            var settings = Self.quick()
            settings.upstream = url
            try await withGateway(settings) { gateway in
                let member = try await gateway.register()
                let connection = try RawConnection(gateway.door)
                connection.send(
                    "POST /api/v1/campaigns HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
                        + "Authorization: Bearer \(member.accessToken)\r\n\r\n{"
                )
                let dripping = Task {
                    for _ in 0..<bytes {
                        guard connection.send(" ") else { return }
                        try await Task.sleep(for: .milliseconds(100))
                    }
                }
                let time = await self.duration {
                    let received = await connection.receive()
                    #expect(received.statuses == [400], "\(received.text)")
                    #expect(received.isClosed)
                }
                dripping.cancel()
                #expect(time < .seconds(7))
                #expect(upstream.received.isEmpty)
            }
        }
    }

    /// What comes in time may take long in all.
    @Test func aLongBodyMayTakeItsTime() async throws {
        let upstream = FakeUpstream { received in Response(status: received.body.count == 2_000_000 ? .ok : .badRequest) }
        try await withUpstream(upstream) { url in
            var settings = Self.quick()
            settings.upstream = url
            try await withGateway(settings) { gateway in
                let member = try await gateway.register()
                let connection = try RawConnection(gateway.door)
                connection.send(
                    "POST /api/v1/campaigns HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\nConnection: close\r\n"
                        + "Authorization: Bearer \(member.accessToken)\r\n\r\n"
                )
                for _ in 0..<20 {
                    connection.send([UInt8](repeating: 0x20, count: 100_000))
                    try await Task.sleep(for: .milliseconds(120))
                }
                #expect(await connection.receive().statuses == [200])
            }
        }
    }

    @Test func tooLargeBodiesAreRefusedWithoutBeingRead() async throws {
        let upstream = FakeUpstream { _ in Response(status: .ok) }
        try await withUpstream(upstream) { url in
            try await withGateway(.init(upstream: url, variables: ["MAX_REQUEST_BYTES": "2000000"])) { gateway in
                let member = try await gateway.register()
                let announced = try RawConnection(gateway.door)
                let authorization = "Authorization: Bearer \(member.accessToken)\r\n"
                announced.send("POST /api/v1/campaigns HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\(authorization)\r\n")
                let refused = await announced.receive()
                #expect(refused.statuses == [413])
                #expect(refused.isClosed)

                let chunked = try RawConnection(gateway.door)
                chunked.send("POST /api/v1/campaigns HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\(authorization)\r\n")
                let piece = "10000\r\n" + String(repeating: "x", count: 0x10000) + "\r\n"
                var sent = 0
                // The socket's buffers are full long before a stream without an end has been sent.
                for _ in 0..<2_000 {
                    if chunked.send(piece) { sent += 1 } else { try await Task.sleep(for: .milliseconds(2)) }
                }
                #expect(sent < 1_000, "it was not read to its end")
                #expect(await chunked.receive().isClosed)
            }
        }
    }

    @Test func oneAddressHoldsOnlyItsShare() async throws {
        let settings = Self.quick { settings in
            settings.connectionsPerAddress = 5
            settings.localAddresses = ["127.0.0.1"].compactMap { AddressRange($0) }
            settings.connectionLimits.firstByte = .seconds(30)
        }
        try await withGateway(settings) { gateway in
            let request = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
            var held = try (0..<5).map { _ in try RawConnection(gateway.door, from: "127.0.0.3") }
            for connection in held {
                connection.send(request)
                #expect(await connection.receive(1).statuses == [200])
            }
            let sixth = try await RawConnection(gateway.door, from: "127.0.0.3").receive()
            #expect(sixth.isClosed && sixth.text.isEmpty)
            for other in ["127.0.0.4", "127.0.0.1"] {
                let connection = try RawConnection(gateway.door, from: other)
                connection.send(request)
                #expect(await connection.receive(1).statuses == [200], "\(other)")
            }
            held.removeLast()
            try await eventually("a place that was given back is taken") {
                let again = try RawConnection(gateway.door, from: "127.0.0.3")
                again.send(request)
                return await again.receive(within: .milliseconds(300)).statuses == [200]
            }
        }
    }

    /// Strangers take all that they can: the prober of this machine is answered.
    @Test func placesAreLeftForTheProberWhileStrangersHoldTheirs() async throws {
        let settings = Self.quick { settings in
            settings.maximumConnections = 40
            settings.localAddresses = ["127.0.0.1"].compactMap { AddressRange($0) }
            settings.connectionLimits.firstByte = .seconds(30)
        }
        try await withGateway(settings) { gateway in
            let held = try (0..<80).map { try RawConnection(gateway.door, from: "127.0.1.\($0 + 1)") }
            var turnedAway = 0
            for connection in held where await connection.receive(within: .milliseconds(20)).isClosed { turnedAway += 1 }
            #expect(turnedAway >= 44)
            for _ in 0..<3 { #expect(try await gateway.door.send("GET", "/healthz").status == 200) }
            withExtendedLifetime(held) {}
        }
    }

    @Test func idleConnectionsDoNotSlowOthers() async throws {
        try await withGateway { gateway in
            let idle = try (0..<500).map { _ in try RawConnection(gateway.door) }
            for connection in idle { connection.send("GET /healthz HTTP/1.1\r\nHost: ") }
            let time = try await self.duration {
                for _ in 0..<20 {
                    let answer = try await gateway.door.send("GET", "/healthz")
                    #expect(answer.status == 200)
                }
            }
            #expect(time < .seconds(5))
            withExtendedLifetime(idle) {}
        }
    }
}
