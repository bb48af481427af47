import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP2
import NIOSSL
import NIOTLS
import ServiceKit

/// A connection over TLS: HTTP/2 or HTTP/1.1, as ALPN agrees (RFC 7301). HTTP/1.1 goes through the house's plain door, HTTP/2 through guards that
/// ask the same of a client. The house's own calls and probes come to the same port without TLS (``PlainDoor``).
struct SecureChannel: ServerChildChannel {
    typealias Negotiated = NIONegotiatedHTTPVersion<HTTP1Channel.Value, HTTP2Connection>

    struct Value: ServerChildChannelValue {
        let channel: any Channel
        let negotiated: EventLoopFuture<Negotiated>
    }

    private struct NoPlace: Error {}

    let parts: DoorParts
    let keeper: TLSKeeper

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            guard self.parts.plain.admit(channel) else {
                try channel.pipeline.syncOperations.addHandler(ClosedDoor())
                return Value(channel: channel, negotiated: channel.eventLoop.makeFailedFuture(NoPlace()))
            }
            let negotiated = channel.eventLoop.makePromise(of: Negotiated.self)
            let first = FirstByte(limit: self.parts.limits.firstByte) { isTLS in
                if isTLS { return try self.secure(channel, negotiated, logger) }
                self.parts.plain.setupAdmitted(channel: channel, logger: logger) { PlainDoor() }
                    .map { .http1_1($0) }.cascade(to: negotiated)
            }
            // Nobody waits for what was not agreed on.
            channel.closeFuture.whenComplete { _ in negotiated.fail(ChannelError.eof) }
            try channel.pipeline.syncOperations.addHandler(first)
            return Value(channel: channel, negotiated: negotiated.futureResult)
        }
    }

    private func secure(_ channel: any Channel, _ negotiated: EventLoopPromise<Negotiated>, _ logger: Logger) throws {
        let pipeline = channel.pipeline.syncOperations
        try pipeline.addHandler(NIOSSLServerHandler(context: self.keeper.identity.context))
        try pipeline.addHandler(HandshakeGuard(self.parts.limits))
        let negotiation = NIOTypedApplicationProtocolNegotiationHandler<Negotiated> { result, channel in
            if case .negotiated("h2") = result {
                return HTTP2Connection.setup(channel, self.parts, logger).map { .http2($0) }
            }
            return self.parts.plain.setupAdmitted(channel: channel, logger: logger).map { .http1_1($0) }
        }
        try pipeline.addHandler(negotiation)
        negotiation.protocolNegotiationResult.cascade(to: negotiated)
    }

    func handle(value: Value, logger: Logger) async {
        do {
            switch try await value.negotiated.get() {
            case .http1_1(let connection): await self.parts.plain.handle(value: connection, logger: logger)
            case .http2(let connection): await connection.serve(logger)
            }
        } catch {
            logger.debug("A connection ended before HTTP began", metadata: ["error": "\(error)"])
        }
    }
}

/// Ends a connection on which something has not come in time. Touched on its loop alone.
private struct Deadline {
    private var timer: Scheduled<Void>?
    /// It has begun, and what it waits for has not come.
    var isAwaited: Bool { self.timer != nil }

    mutating func begin(_ limit: Duration, or end: ConnectionEnd, _ context: ChannelHandlerContext) {
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limit)) {
            end.count()
            context.close(promise: nil)
        }
    }

    /// It has come, or the connection is over.
    mutating func settle() {
        self.timer?.cancel()
        self.timer = nil
    }
}

/// Waits for a connection's first byte, which tells TLS from everything else.
private final class FirstByte: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// The type of a TLS record that begins a handshake (RFC 8446 section 5.1).
    private static let handshake: UInt8 = 22

    private let limit: Duration
    private let goOn: (Bool) throws -> Void
    private var deadline = Deadline()

    /// - goOn: adds the handlers behind this one; told whether TLS begins.
    init(limit: Duration, goOn: @escaping (Bool) throws -> Void) {
        self.limit = limit
        self.goOn = goOn
    }

    func handlerAdded(context: ChannelHandlerContext) { self.deadline.begin(self.limit, or: .silent, context) }

    func handlerRemoved(context: ChannelHandlerContext) { self.deadline.settle() }

    func channelInactive(context: ChannelHandlerContext) {
        self.deadline.settle()
        context.fireChannelInactive()
    }

    /// A client that ends its side before it has said anything.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        context.fireUserInboundEventTriggered(event)
        let isOver = event as? ChannelEvent == .inputClosed || event is ChannelShouldQuiesceEvent
        if self.deadline.isAwaited, isOver { context.close(promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard self.deadline.isAwaited else { return context.fireChannelRead(data) }
        guard let first = self.unwrapInboundIn(data).readableBytesView.first else { return }
        self.deadline.settle()
        do {
            try self.goOn(first == Self.handshake)
        } catch {
            return context.close(promise: nil)
        }
        context.fireChannelRead(data)
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }
}

/// Ends a connection that does not come to an end of its TLS handshake.
private final class HandshakeGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = NIOAny

    private let limit: Duration
    private var deadline = Deadline()

    init(_ limits: ConnectionLimits) { self.limit = limits.head }

    func handlerAdded(context: ChannelHandlerContext) { self.deadline.begin(self.limit, or: .slowHandshake, context) }

    func handlerRemoved(context: ChannelHandlerContext) { self.deadline.settle() }

    func channelInactive(context: ChannelHandlerContext) {
        self.deadline.settle()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent { self.deadline.settle() }
        if event is ChannelShouldQuiesceEvent, self.deadline.isAwaited { context.close(promise: nil) }
        context.fireUserInboundEventTriggered(event)
    }
}
