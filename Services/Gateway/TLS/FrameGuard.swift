import NIOCore
import ServiceKit

/// Watches the bytes of an HTTP/2 connection as `ClientPace` does those of HTTP/1.1: a first request must come, what is begun must be ended, and
/// what the server sends must be taken. Bodies and answers of single streams are the ``StreamDoor``'s.
final class FrameGuard: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    /// For a connection that is told to end, below the time that a process has for it.
    private static let grace = TimeAmount.seconds(15)

    private let limits: ConnectionLimits
    private let idleTimeout: TimeAmount
    private let places: StreamPlaces
    private var reader = FrameReader()
    /// What is midway, and since when.
    private var midway: (whole: Int, since: NIODeadline)?
    private var timer: Scheduled<Void>?
    private var stall: Scheduled<Void>?

    private var rest: Scheduled<Void>?
    /// When the server was told to stop.
    private var stopping: NIODeadline?

    /// - places: tells when the connection rests.
    init(_ parts: DoorParts, _ places: StreamPlaces) {
        self.limits = parts.limits
        self.idleTimeout = TimeAmount(parts.limits.idle)
        self.places = places
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.limits.firstByte)) {
            self.timer = nil
            guard self.reader.blocks == 0 else { return self.watch(context) }
            self.cut(.silent, context)
        }
        self.watchRest(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.stop() }

    func channelInactive(context: ChannelHandlerContext) {
        self.stop()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.reader.consume(self.unwrapInboundIn(data).readableBytesView)
        if !self.reader.isMidway {
            self.midway = nil
        } else if self.midway?.whole != self.reader.wholes {
            self.midway = (self.reader.wholes, .now())
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.fireChannelReadComplete()
        self.watch(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.stall?.cancel()
        self.stall = nil
        if !context.channel.isWritable {
            self.stall = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.limits.stalledAnswer)) {
                self.cut(.stalledAnswer, context)
            }
        }
        context.fireChannelWritabilityChanged()
    }

    private func watch(_ context: ChannelHandlerContext) {
        guard self.timer == nil, let midway = self.midway else { return }
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: midway.since + TimeAmount(self.limits.head)) {
            self.timer = nil
            guard let midway = self.midway, midway.since + TimeAmount(self.limits.head) <= .now() else { return self.watch(context) }
            self.cut(.slowHead, context)
        }
    }

    // MARK: - The end of a connection

    /// HTTP/2 tells the client (GOAWAY) and waits for its word, which may never come.
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        context.fireUserInboundEventTriggered(event)
        guard event is ChannelShouldQuiesceEvent, self.stopping == nil else { return }
        self.stopping = .now()
        self.watchRest(context)
    }

    /// Closes a connection that has rested for longer than the GOAWAY that its time brought needs, or that rests while the server stops.
    private func watchRest(_ context: ChannelHandlerContext) {
        self.rest?.cancel()
        let answer = TimeAmount(self.stopping == nil ? self.limits.head : self.limits.linger)
        let patience = self.stopping == nil ? self.idleTimeout + answer : answer
        let next = max(self.places.idleSince.map { $0 + patience } ?? .now() + patience, .now() + answer)
        self.rest = context.eventLoop.assumeIsolated().scheduleTask(deadline: next) {
            let isOver = self.stopping.map { $0 + Self.grace <= .now() } ?? false
            let isIdle = self.places.idleSince.map { $0 + patience <= .now() } ?? false
            if isOver || isIdle { context.close(promise: nil) } else { self.watchRest(context) }
        }
    }

    private func cut(_ end: ConnectionEnd, _ context: ChannelHandlerContext) {
        end.count()
        context.close(promise: nil)
    }

    private func stop() {
        self.timer?.cancel()
        self.timer = nil
        self.stall?.cancel()
        self.stall = nil
        self.rest?.cancel()
        self.rest = nil
    }
}
