import NIOCore
import NIOHTTP1

/// One connection to a replica, behind the HTTP handlers of its channel. It serves one call at a time.
final class ReplicaConnection: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = HTTPClientRequestPart
    typealias OutboundOut = HTTPClientRequestPart

    /// Why an exchange broke.
    enum Break: Error, CustomStringConvertible {
        /// A connection that was kept turns out to be closed: nothing of an answer has come.
        case stale
        case closed
        case unreadable(any Error)

        var description: String {
            switch self {
            case .stale, .closed: "the connection was closed before the answer's end"
            case .unreadable(let error): "the answer cannot be read: \(error)"
            }
        }
    }

    let replica: LoopCalls.Replica
    let channel: any Channel
    var idleSince = NIODeadline.now()
    private weak var calls: LoopCalls?
    private var context: ChannelHandlerContext?
    private var call: LoopCall?
    /// It has been idle: the replica may have ended it.
    var isKept = false
    private var hasAnswerBegun = false
    /// What the answer says about the connection.
    private var mayBeKept = false
    /// An answer has ended; kept once it is sure that nothing came behind it.
    private var isFree = false
    private var isPaused = false
    private var isReadHeld = false

    init(to replica: LoopCalls.Replica, over channel: any Channel, for calls: LoopCalls) {
        self.replica = replica
        self.channel = channel
        self.calls = calls
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    /// A connection that ends while it is made is not told inactive.
    func handlerRemoved(context: ChannelHandlerContext) {
        self.context = nil
        self.breakOff(.closed)
    }

    // MARK: - Of the call

    func send(_ head: HTTPRequestHead, for call: LoopCall) {
        self.call = call
        self.hasAnswerBegun = false
        guard let context else { return self.breakOff(.closed) }
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }

    /// Nothing more is read than what is on its way already.
    func pause() { self.isPaused = true }

    func resume() {
        self.isPaused = false
        guard self.isReadHeld else { return }
        self.isReadHeld = false
        self.context?.read()
    }

    /// The call has no use for the answer any more.
    func abandon() {
        self.call = nil
        self.context?.close(promise: nil)
    }

    // MARK: - Of the replica

    func read(context: ChannelHandlerContext) {
        if self.isPaused { self.isReadHeld = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        // What nobody asked for is not the answer to what is asked next.
        guard let call else {
            self.isFree = false
            return context.close(promise: nil)
        }
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            // The decoder drops interim answers but this one, behind which there is no HTTP.
            guard head.status != .switchingProtocols else { return self.breakOff(.unreadable(HTTPParserError.invalidStatus)) }
            self.hasAnswerBegun = true
            self.mayBeKept = head.isKeepAlive
            call.received(head)
        case .body(let bytes): call.received(bytes)
        case .end: self.end(call, context)
        }
    }

    private func end(_ call: LoopCall, _ context: ChannelHandlerContext) {
        self.call = nil
        self.resume()
        if self.mayBeKept { self.isFree = true } else { context.close(promise: nil) }
        call.ended()
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.call?.readCompleted()
        context.fireChannelReadComplete()
        guard self.isFree else { return }
        self.isFree = false
        if let calls { calls.keep(self) } else { context.close(promise: nil) }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.breakOff(.closed)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.breakOff(error is HTTPParserError ? .unreadable(error) : .closed)
    }

    private func breakOff(_ reason: Break) {
        self.isFree = false
        self.calls?.forget(self)
        // Taken away first: closing gives the decoder its end, which may look like an answer's, and comes back here.
        let call = self.call
        self.call = nil
        self.context?.close(promise: nil)
        guard let call else { return }
        if case .closed = reason, self.isKept, !self.hasAnswerBegun { return call.broke(.stale) }
        call.broke(reason)
    }
}
