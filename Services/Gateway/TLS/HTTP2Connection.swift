import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP2
import NIOHTTPTypesHTTP2
import ServiceKit

/// One HTTP/2 connection (RFC 9113). Streams are served as HTTP/1.1 requests are, each behind a ``StreamDoor``; a ``FrameGuard`` watches the connection.
struct HTTP2Connection: Sendable {
    /// Requests of one connection at a time: streams that are open, and those that were reset while their request was worked on.
    static let requests = 100
    /// Bytes of a header list: of names, values and 32 each (RFC 9113 section 6.5.2); as much as HTTP/1.1 takes.
    static let headerList = 32 << 10
    /// Resets that a client may send in ``floodWindow``: many times what one that changes its mind sends (CVE-2023-44487).
    static let resets = 200
    static let floodWindow = TimeAmount.seconds(30)
    private let streams: NIOHTTP2Handler.AsyncStreamMultiplexer<HTTP1Channel.Value>
    private let http1: HTTP1Channel
    private let places: StreamPlaces

    static func setup(_ channel: any Channel, _ parts: DoorParts, _ logger: Logger) -> EventLoopFuture<HTTP2Connection> {
        channel.eventLoop.makeCompletedFuture {
            let pipeline = channel.pipeline.syncOperations
            let places = StreamPlaces(Self.requests)
            let limits = parts.limits
            try pipeline.addHandler(FrameGuard(parts, places))
            let streams = try pipeline.configureAsyncHTTP2Pipeline(
                mode: .server,
                connectionManagerConfiguration: .init(
                    maxIdleTime: TimeAmount(parts.limits.idle),
                    maxAge: nil,
                    maxGraceTime: nil,
                    keepalive: nil
                ),
                http2HandlerConfiguration: Self.configuration
            ) { stream in
                stream.eventLoop.makeCompletedFuture {
                    let pipeline = stream.pipeline.syncOperations
                    try pipeline.addHandler(StreamDoor(limits, hasPlace: places.enter()))
                    try pipeline.addHandler(HTTP2FramePayloadToHTTPServerCodec())
                    return try HTTP1Channel.Value(wrappingChannelSynchronously: stream)
                }
            }
            try pipeline.addHandler(FaultyConnection())
            return HTTP2Connection(streams: streams, http1: HTTP1Channel(responder: parts.responder), places: places)
        }
    }

    private static var configuration: NIOHTTP2Handler.Configuration {
        var configuration = NIOHTTP2Handler.Configuration()
        configuration.connection.initialSettings = [
            HTTP2Setting(parameter: .maxConcurrentStreams, value: Self.requests),
            HTTP2Setting(parameter: .maxHeaderListSize, value: Self.headerList),
        ]
        // What a client may send ahead: per stream as much as a link of 100 Mbit/s and 20 ms holds, and no more than four of these in memory.
        configuration.connection.targetWindowSize = 1 << 20
        configuration.stream.targetWindowSize = 256 << 10
        configuration.stream.outboundBufferSizeHighWatermark = 64 << 10
        configuration.stream.outboundBufferSizeLowWatermark = 32 << 10
        configuration.stream.streamResetFrameRateLimit.maximumCount = Self.resets
        configuration.stream.streamResetFrameRateLimit.windowLength = Self.floodWindow
        configuration.connection.maximumBufferedControlFrames = 1_000
        return configuration
    }

    func serve(_ logger: Logger) async {
        do {
            try await withThrowingDiscardingTaskGroup { group in
                for try await stream in self.streams.inbound {
                    group.addTask {
                        await self.http1.handle(value: stream, logger: logger)
                        self.places.leave()
                    }
                }
            }
        } catch {
            logger.debug("An HTTP/2 connection ended with an error", metadata: ["error": "\(error)"])
        }
    }
}

/// Ends a connection whose client broke the protocol or flooded it: what HTTP/2 had to say of it is said (GOAWAY).
private final class FaultyConnection: ChannelInboundHandler {
    typealias InboundIn = NIOAny

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // One stream's fault, which its own reset has told.
        if error is NIOHTTP2Errors.StreamError { return }
        switch error {
        case is NIOHTTP2Errors.ExcessiveRSTFrames, is NIOHTTP2Errors.ExcessiveStreamErrors,
            is NIOHTTP2Errors.ExcessiveOutboundFrameBuffering,
            is NIOHTTP2Errors.ExcessivelyLargeHeaderBlock, is NIOHTTP2Errors.ExcessiveEmptyDataFrames:
            ConnectionEnd.flood.count()
        case is any NIOHTTP2Error: ConnectionEnd.malformed.count()
        // Of the layers below: a client that leaves without a word breaks nothing.
        default: break
        }
        context.close(promise: nil)
    }
}
