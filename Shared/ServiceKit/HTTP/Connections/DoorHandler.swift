import Models
import NIOCore
import NIOHTTP1

/// Stands between the decoder and everything else of a connection: refuses what can be read in two ways with one 400, lets nothing behind it be read
/// as a request, and ends the connection where either side asked for it.
final class DoorHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private struct SlowClient: Error {}

    private enum Mode {
        case open
        /// No more requests are read; the connection ends behind the answers under way, the refusal being the last of them.
        case closing(RequestFraming.Fault?)
        /// All is said. What still comes is thrown away until the connection ends.
        case lingering
    }

    private let pace: ClientPace
    private let limits: ConnectionLimits
    private var mode = Mode.open
    /// A request's head has come, its end has not.
    private var isRequestOpen = false
    /// Requests that have no whole answer yet.
    private var underWay = 0
    /// The request being read is the last.
    private var isLastRequest = false
    /// It is HTTP/1.0: its answer must come without chunks (RFC 9112 section 6.1), so that the connection's end may have to end it.
    private var isLastRequestOld = false
    /// The answer being written is the last.
    private var isLastAnswer = false
    private var timer: Scheduled<Void>?

    init(pace: ClientPace, limits: ConnectionLimits) {
        self.pace = pace
        self.limits = limits
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.pace.onSlow = { [unowned self] _ in self.giveUp(context) }
        self.pace.isIdle = { [unowned self] in self.underWay == 0 }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.pace.onSlow = { _ in }
        self.pace.isIdle = { true }
        self.timer?.cancel()
    }

    // MARK: - Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard case .open = self.mode else { return }
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            do throws(RequestFraming.Fault) {
                let framing = try RequestFraming(head)
                (self.isLastRequest, self.isLastRequestOld) = (framing.closes, framing.isOld)
                self.pace.headEnded(length: framing.length)
            } catch {
                return self.refuse(error, context)
            }
            self.isRequestOpen = true
            self.underWay += 1
            context.fireChannelRead(data)
        case .body(let bytes):
            self.pace.received(bytes.readableBytes)
            context.fireChannelRead(data)
        case .end:
            self.isRequestOpen = false
            self.pace.requestEnded()
            if self.isLastRequest { self.mode = .closing(nil) }
            context.fireChannelRead(data)
        }
    }

    /// What the decoder cannot read: one 400 where it was a head, a body that did not arrive where it was a body.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        guard case .open = self.mode else { return }
        guard error is HTTPParserError else { return context.fireErrorCaught(error) }
        if self.isRequestOpen { self.breakOff(error, context) } else { self.refuse(.malformed, context) }
    }

    private func refuse(_ fault: RequestFraming.Fault, _ context: ChannelHandlerContext) {
        ConnectionEnd.malformed.count()
        self.mode = .closing(fault)
        if self.underWay == 0 { self.end(context) }
    }

    /// Whoever reads the body learns that it did not arrive; the answer to it is the last.
    private func breakOff(_ error: any Error, _ context: ChannelHandlerContext) {
        self.mode = .closing(nil)
        guard self.underWay > 0 else { return self.end(context) }
        context.fireErrorCaught(error)
    }

    private func giveUp(_ context: ChannelHandlerContext) {
        guard case .open = self.mode else { return }
        if self.isRequestOpen {
            self.breakOff(SlowClient(), context)
        } else if self.underWay > 0 {
            self.mode = .closing(nil)
        } else {
            context.close(promise: nil)
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        context.fireUserInboundEventTriggered(event)
        if case .lingering = self.mode, event as? ChannelEvent == .inputClosed { context.close(promise: nil) }
    }

    // MARK: - Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .lingering = self.mode {
            promise?.fail(ChannelError.outputClosed)
            return
        }
        switch self.unwrapOutboundIn(data) {
        case .head(var head):
            if head.headers.first(name: "connection") == "close" { self.isLastAnswer = true }
            if self.isLast {
                self.isLastAnswer = true
                head.headers.replaceOrAdd(name: "Connection", value: "close")
                // The encoder does the rest.
                if self.isLastRequestOld { head.version = .http1_0 }
            }
            context.write(self.wrapOutboundOut(.head(head)), promise: promise)
        case .body: context.write(data, promise: promise)
        case .end:
            self.underWay -= 1
            self.pace.answerEnded()
            guard self.isLastAnswer || self.isLast(of: self.underWay + 1) || self.hasRefusal && self.underWay == 0 else {
                return context.write(data, promise: promise)
            }
            self.end(context, after: data, promise)
        }
    }

    /// Whether the answer to be written now is the last of the connection.
    private var isLast: Bool { self.isLast(of: self.underWay) }

    private func isLast(of answers: Int) -> Bool {
        guard answers == 1, !self.hasRefusal else { return false }
        if case .closing = self.mode { return true }
        return self.isLastRequest
    }

    private var hasRefusal: Bool {
        if case .closing(_?) = self.mode { true } else { false }
    }

    /// Writes what is left to say and ends the connection once the client has had time to read it.
    private func end(_ context: ChannelHandlerContext, after data: NIOAny? = nil, _ promise: EventLoopPromise<Void>? = nil) {
        let written = context.eventLoop.makePromise(of: Void.self)
        if case .closing(let fault?) = self.mode {
            if let data { context.write(data, promise: promise) }
            context.writeLast(Problem(.badRequest, fault.rawValue), promise: written)
        } else if let data {
            if let promise { written.futureResult.cascade(to: promise) }
            context.write(data, promise: written)
        } else {
            written.succeed()
        }
        context.flush()
        self.mode = .lingering
        self.pace.discard()
        self.wait(for: self.limits.stalledAnswer, context)
        written.futureResult.assumeIsolated().whenComplete { _ in
            context.close(mode: .output, promise: nil)
            self.timer?.cancel()
            self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.limits.linger)) { context.close(promise: nil) }
        }
    }

    /// A client that takes nothing of the last answer; one that takes some is watched by ``ClientPace``.
    private func wait(for limit: Duration, _ context: ChannelHandlerContext) {
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(limit)) {
            if context.channel.isWritable { context.close(promise: nil) } else { self.wait(for: limit, context) }
        }
    }
}
