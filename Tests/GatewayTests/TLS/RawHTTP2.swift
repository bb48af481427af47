import Foundation
import NIOCore
import NIOPosix
import NIOSSL
import Synchronization
import TestSupport

@testable import Gateway

/// HTTP/2 over TLS as bytes: what clients and libraries would not send goes out as it is written here.
final class RawHTTP2: Sendable {
    struct Frame: Sendable {
        var type: UInt8
        var flags: UInt8
        var stream: UInt32
        var payload: [UInt8]

        var isReset: Bool { self.type == 3 }
        var isGoAway: Bool { self.type == 7 }
        /// Of a RST_STREAM (at 0) or a GOAWAY (behind the last stream).
        var code: UInt32 { self.payload.dropFirst(self.isGoAway ? 4 : 0).prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }
    }

    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)

    private let channel: any Channel
    private let collector: Collector

    /// - settings: sends the preface and empty settings.
    init(_ gateway: TestGateway, _ certificate: TestCertificate, from address: String = "127.0.0.1", settings: Bool = true) async throws {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .certificates(try NIOSSLCertificate.fromPEMFile(certificate.files.certificate))
        configuration.applicationProtocols = ["h2"]
        let context = try NIOSSLContext(configuration: configuration)
        let collector = Collector()
        self.collector = collector
        self.channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: context, serverHostname: "localhost"))
                    try channel.pipeline.syncOperations.addHandler(CollectingHandler(collector))
                }
            }
            .bind(to: try SocketAddress(ipAddress: address, port: 0))
            .connect(host: "127.0.0.1", port: gateway.door.port).get()
        if settings { self.send(Self.preface + Self.frame(4, 0, 0, [])) }
    }

    func send(_ bytes: [UInt8]) {
        // What cannot be sent any more shows by the connection's end.
        self.channel.writeAndFlush(ByteBuffer(bytes: bytes), promise: nil)
    }

    func read(_ isReading: Bool) async throws { try await self.channel.setOption(.autoRead, value: isReading).get() }

    func close() { self.channel.close(promise: nil) }

    var isClosed: Bool { self.collector.state.withLock { $0.isClosed } }

    /// What has come so far.
    var frames: [Frame] {
        var rest = self.collector.state.withLock { $0.bytes }[...]
        var frames: [Frame] = []
        while rest.count >= 9 {
            let head = Array(rest.prefix(9))
            let length = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
            guard rest.count >= 9 + length else { break }
            let stream = head[5...].reduce(0) { $0 << 8 | UInt32($1) }
            frames.append(Frame(type: head[3], flags: head[4], stream: stream, payload: Array(rest.dropFirst(9).prefix(length))))
            rest = rest.dropFirst(9 + length)
        }
        return frames
    }

    /// - type: 0 DATA, 1 HEADERS, 3 RST_STREAM, 4 SETTINGS, 8 WINDOW_UPDATE, 9 CONTINUATION. Flags: 1 END_STREAM, 4 END_HEADERS.
    static func frame(_ type: UInt8, _ flags: UInt8, _ stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        var bytes: [UInt8] = []
        for shift in [16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: payload.count >> shift)) }
        bytes += [type, flags]
        for shift: UInt32 in [24, 16, 8, 0] { bytes.append(UInt8(truncatingIfNeeded: stream >> shift)) }
        return bytes + payload
    }

    /// A header block of literals without indexing (RFC 7541 section 6.2.2); names and values of less than 127 bytes.
    static func block(_ fields: [(String, String)]) -> [UInt8] {
        var bytes: [UInt8] = []
        for (name, value) in fields {
            bytes.append(0)
            bytes.append(UInt8(name.utf8.count))
            bytes += Array(name.utf8)
            bytes.append(UInt8(value.utf8.count))
            bytes += Array(value.utf8)
        }
        return bytes
    }

    static func request(_ method: String, _ path: String, host: String = "localhost", _ more: [(String, String)] = []) -> [UInt8] {
        self.block([(":method", method), (":scheme", "https"), (":authority", host), (":path", path)] + more)
    }
}

private final class Collector: Sendable {
    struct State {
        var bytes: [UInt8] = []
        var isClosed = false
    }

    let state = Mutex(State())
}

private final class CollectingHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let collector: Collector

    init(_ collector: Collector) { self.collector = collector }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = self.unwrapInboundIn(data)
        self.collector.state.withLock { $0.bytes += bytes.readableBytesView }
    }

    func channelInactive(context: ChannelHandlerContext) { self.collector.state.withLock { $0.isClosed = true } }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
