package import HummingbirdCore
package import Logging
package import NIOCore
import NIOHTTP1

/// Hummingbird's HTTP/1.1 connection with the house's rules before it.
package struct DoorChannel: ServerChildChannel {
    package typealias Value = HTTP1Channel.Value

    let inner: HTTP1Channel
    let book: ConnectionBook
    let limits: ConnectionLimits
    let lane: LaneAttendant?

    package func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        guard self.admit(channel) else {
            return self.inner.setup(channel: channel, logger: logger).flatMapThrowing { value in
                try channel.pipeline.syncOperations.addHandler(ClosedDoor(), position: .first)
                return value
            }
        }
        return self.setupAdmitted(channel: channel, logger: logger)
    }

    /// Whether there is a place for the connection, which it holds until it is closed.
    package func admit(_ channel: any Channel) -> Bool {
        let book = self.book
        guard let entry = book.enter(channel.remoteAddress?.ipAddress) else {
            ConnectionEnd.full.count()
            return false
        }
        channel.closeFuture.whenComplete { _ in book.leave(entry) }
        return true
    }

    /// HTTP/1.1 on a connection that has its place, whatever its bytes came through.
    /// - behind: a handler right behind the guards, before whatever serves requests.
    package func setupAdmitted(
        channel: any Channel,
        logger: Logger,
        behind: @escaping @Sendable () -> (any RemovableChannelHandler)? = { nil }
    ) -> EventLoopFuture<Value> {
        let (limits, lane) = (self.limits, self.lane)
        return self.inner.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            let pace = ClientPace(limits)
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            // In front of the encoder too: bytes pass it both ways.
            try pipeline.addHandler(pace, position: .before(pipeline.handler(type: HTTPResponseEncoder.self)))
            let door = DoorHandler(pace: pace, limits: limits)
            try pipeline.addHandler(door, position: .after(decoder))
            if let lane { try pipeline.addHandler(LaneHandler(lane, channel), position: .after(door)) }
            if let handler = behind() { try pipeline.addHandler(handler, position: .after(door)) }
            return value
        }
    }

    package func handle(value: Value, logger: Logger) async { await self.inner.handle(value: value, logger: logger) }
}

/// What lies before HTTP on a server's connections, TLS say, made around the plain door of the house.
package struct DoorParts: Sendable {
    /// Places, and HTTP/1.1 with its guards.
    package let plain: DoorChannel
    package let responder: HTTPChannelHandler.Responder
    package let limits: ConnectionLimits
}

/// For a connection that there is no place for: it ends before it is read.
package final class ClosedDoor: ChannelInboundHandler, RemovableChannelHandler {
    package typealias InboundIn = ByteBuffer

    package init() {}

    package func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { context.close(promise: nil) }
    }

    package func channelActive(context: ChannelHandlerContext) { context.close(promise: nil) }
}
