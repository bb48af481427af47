import HummingbirdCore
import Logging
import NIOCore
import NIOHTTP1

/// Hummingbird's HTTP/1.1 connection with the house's rules before it.
struct DoorChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    let inner: HTTP1Channel
    let book: ConnectionBook
    let limits: ConnectionLimits
    let lane: LaneAttendant?

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let (book, limits, lane) = (self.book, self.limits, self.lane)
        let entry = book.enter(channel.remoteAddress?.ipAddress)
        if let entry { channel.closeFuture.whenComplete { _ in book.leave(entry) } }
        return self.inner.setup(channel: channel, logger: logger).flatMapThrowing { value in
            let pipeline = channel.pipeline.syncOperations
            guard entry != nil else {
                ConnectionEnd.full.count()
                try pipeline.addHandler(ClosedDoor(), position: .first)
                return value
            }
            let pace = ClientPace(limits)
            try pipeline.addHandler(pace, position: .first)
            let decoder = try pipeline.handler(type: ByteToMessageHandler<HTTPRequestDecoder>.self)
            let door = DoorHandler(pace: pace, limits: limits)
            try pipeline.addHandler(door, position: .after(decoder))
            if let lane { try pipeline.addHandler(LaneHandler(lane, channel), position: .after(door)) }
            return value
        }
    }

    func handle(value: Value, logger: Logger) async { await self.inner.handle(value: value, logger: logger) }
}

/// For a connection that there is no place for: it ends before it is read.
private final class ClosedDoor: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { context.close(promise: nil) }
    }

    func channelActive(context: ChannelHandlerContext) { context.close(promise: nil) }
}
