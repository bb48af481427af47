import NIOCore

/// Watches how fast a client sends its requests and takes its answers. It stands before the decoder, where the first byte of a head is seen; the
/// ``DoorHandler`` behind the decoder tells it where heads and bodies end. Time in which the server itself does not read is not the client's.
///
/// A request that comes whole in one read costs no timer.
final class ClientPace: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Body {
        var begun: NIODeadline
        var progress: NIODeadline
        var received = 0
        /// Announced to be longer than ``RequestLimits/body``.
        var isLong: Bool
    }

    private enum Phase {
        /// Connected; nothing has come yet.
        case silent(since: NIODeadline)
        case between(since: NIODeadline)
        case head(since: NIODeadline)
        case body(Body)
        /// What comes is thrown away, up to so many bytes.
        case discarding(Int)
    }

    private let limits: ConnectionLimits
    private var phase = Phase.between(since: .now())
    private var isReading = false
    private var timer: Scheduled<Void>?
    private var timerDue = NIODeadline.distantFuture
    private var stall: Scheduled<Void>?
    /// Told when the client is too slow.
    var onSlow: (ConnectionEnd) -> Void = { _ in }
    /// Asked whether nothing is under way when the client has sent nothing for ``ConnectionLimits/idle``.
    var isIdle: () -> Bool = { true }

    init(_ limits: ConnectionLimits) { self.limits = limits }

    // MARK: - Told by the door

    func headEnded(length: Int?) {
        let now = NIODeadline.now()
        self.phase = .body(Body(begun: now, progress: now, isLong: length.map { $0 > RequestLimits.body } ?? false))
    }

    func received(_ bytes: Int) {
        guard case .body(var body) = self.phase, bytes > 0 else { return }
        body.received += bytes
        body.progress = .now()
        self.phase = .body(body)
    }

    func requestEnded() { if case .body = self.phase { self.phase = .between(since: .now()) } }

    func answerEnded() { if case .between = self.phase { self.phase = .between(since: .now()) } }

    func discard() { self.phase = .discarding(self.limits.lingerBytes) }

    // MARK: - Seen

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { self.begin(context) }
    }

    func channelActive(context: ChannelHandlerContext) {
        self.begin(context)
        context.fireChannelActive()
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.stop()
        context.fireChannelInactive()
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.stop() }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.phase {
        case .silent, .between: self.phase = .head(since: .now())
        case .head, .body: break
        case .discarding(let left):
            let rest = left - self.unwrapInboundIn(data).readableBytes
            self.phase = .discarding(rest)
            if rest < 0 { context.close(promise: nil) }
            return
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        context.fireChannelReadComplete()
        self.watch(context)
    }

    func read(context: ChannelHandlerContext) {
        self.isReading = true
        context.read()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        self.stall?.cancel()
        self.stall = nil
        if !context.channel.isWritable {
            self.stall = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.limits.stalledAnswer)) {
                ConnectionEnd.stalledAnswer.count()
                context.close(promise: nil)
            }
        }
        context.fireChannelWritabilityChanged()
    }

    /// Behind what is written, for as long as the client takes it: an answer that waits in the connection is not lost with it.
    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard mode != .input, context.channel.isActive else { return context.close(mode: mode, promise: promise) }
        let written = context.eventLoop.makePromise(of: Void.self)
        let limit = context.eventLoop.assumeIsolated().scheduleTask(in: TimeAmount(self.limits.closing)) {
            ConnectionEnd.stalledAnswer.count()
            context.close(mode: .all, promise: nil)
        }
        written.futureResult.assumeIsolated().whenComplete { _ in
            limit.cancel()
            context.close(mode: mode, promise: promise)
        }
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer()), promise: written)
    }

    // MARK: - Time

    private func begin(_ context: ChannelHandlerContext) {
        guard self.timer == nil else { return }
        self.phase = .silent(since: .now())
        self.watch(context)
    }

    private func stop() {
        self.timer?.cancel()
        self.timer = nil
        self.stall?.cancel()
        self.stall = nil
        self.onSlow = { _ in }
        self.isIdle = { true }
    }

    /// When the client will have been too slow, and for what.
    private var due: (time: NIODeadline, end: ConnectionEnd)? {
        switch self.phase {
        case .discarding: return nil
        case .between(let since): return (since + TimeAmount(self.limits.idle), .idle)
        case .silent(let since): return (since + TimeAmount(self.limits.firstByte), .silent)
        case .head(let since): return (since + TimeAmount(self.limits.head), .slowHead)
        case .body(let body):
            let pause = body.progress + TimeAmount(self.limits.bodyPause)
            guard !body.isLong, body.received <= RequestLimits.body else { return (pause, .slowBody) }
            return (min(pause, body.begun + TimeAmount(self.limits.shortBody)), .slowBody)
        }
    }

    private func watch(_ context: ChannelHandlerContext) {
        guard let due = self.due, self.timer == nil || due.time < self.timerDue else { return }
        self.timer?.cancel()
        self.timerDue = due.time
        self.timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: due.time) {
            self.timer = nil
            self.check(context)
        }
    }

    private func check(_ context: ChannelHandlerContext) {
        guard let due = self.due else { return }
        let now = NIODeadline.now()
        if due.time <= now {
            if due.end == .idle {
                guard !self.isIdle() else { return context.close(promise: nil) }
            } else if self.isReading {
                due.end.count()
                return self.onSlow(due.end)
            }
            self.forgive(now)
        }
        self.watch(context)
    }

    /// The server had no room for more: what the client may still take begins anew.
    private func forgive(_ now: NIODeadline) {
        switch self.phase {
        case .discarding: break
        case .between: self.phase = .between(since: now)
        case .silent: self.phase = .silent(since: now)
        case .head: self.phase = .head(since: now)
        case .body(var body):
            body.begun = now
            body.progress = now
            self.phase = .body(body)
        }
    }
}
