import HTTPTypes
import Models
import NIOCore
import NIOHTTP1

/// Takes the requests that the fast lane admits out of the connection's usual way and answers them. One request at a time: what a client sends
/// behind one that is under way waits, unread as far as possible.
///
/// It stands right behind the ``DoorHandler``: parts in their first form, before they are turned into what the pipeline takes.
final class LaneHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    private enum Held {
        case part(NIOAny)
        case event(Any)
        case error(any Error)
    }

    private let attendant: LaneAttendant
    private let socket: String?
    private var calls: LoopCalls?
    private var context: ChannelHandlerContext?
    private var current: LanePassage?
    /// The end of the request in the lane has not come yet; it comes with its head.
    private var isEndAwaited = false
    /// Requests that went the usual way and have no whole answer yet.
    private var usual = 0
    private var held = CircularBuffer<Held>()
    private var isReadHeld = false

    init(_ attendant: LaneAttendant, _ channel: any Channel) {
        self.attendant = attendant
        self.socket = channel.remoteAddress?.ipAddress
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        self.calls = self.attendant.calls(on: context.eventLoop)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.giveUp()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.giveUp()
        context.fireChannelInactive()
    }

    // MARK: - Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if self.held.isEmpty, self.isEndAwaited || self.isFree(context) {
            self.receive(data, context)
        } else {
            self.held.append(.part(data))
        }
    }

    /// Nothing is under way in the lane, and the client takes its answers: one that reads none gets no more of them made.
    private func isFree(_ context: ChannelHandlerContext) -> Bool {
        self.current == nil && (self.usual > 0 || context.channel.isWritable)
    }

    private func receive(_ data: NIOAny, _ context: ChannelHandlerContext) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            if self.usual == 0, self.enter(head, context) { return }
            self.usual += 1
        case .end where self.isEndAwaited:
            self.isEndAwaited = false
            return
        case .body, .end: break
        }
        context.fireChannelRead(data)
    }

    private func enter(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) -> Bool {
        let start = ContinuousClock.now
        guard let calls, let request = self.attendant.request(head, from: self.socket), let pass = self.attendant.lane.admit(request) else {
            return false
        }
        self.isEndAwaited = true
        let passage = LanePassage(request, pass, since: start)
        self.current = passage
        passage.call = pass.client.begin(pass.outgoing, on: calls, for: self)
        return true
    }

    /// Reading goes on until something comes that has to wait: most clients wait themselves.
    func read(context: ChannelHandlerContext) {
        if self.held.isEmpty { context.read() } else { self.isReadHeld = true }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        let isNext = self.held.isEmpty && self.current == nil
        if isNext { context.fireUserInboundEventTriggered(event) } else { self.held.append(.event(event)) }
    }

    /// What cannot be read ends the request that it belongs to, not the one before.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let isNext = self.held.isEmpty && self.current == nil
        if isNext { context.fireErrorCaught(error) } else { self.held.append(.error(error)) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable {
            self.current?.call?.resume()
            self.goOn(context)
        } else {
            self.current?.call?.pause()
        }
        context.fireChannelWritabilityChanged()
    }

    /// What waited behind a request that is answered now.
    private func goOn(_ context: ChannelHandlerContext) {
        guard !self.held.isEmpty else { return }
        while !self.held.isEmpty, self.isEndAwaited || self.isFree(context) {
            switch self.held.removeFirst() {
            case .part(let data): self.receive(data, context)
            case .event(let event): context.fireUserInboundEventTriggered(event)
            case .error(let error): context.fireErrorCaught(error)
            }
        }
        // Whoever got a part waits for the end of a read.
        context.fireChannelReadComplete()
        guard self.held.isEmpty, self.isReadHeld else { return }
        self.isReadHeld = false
        context.read()
    }

    // MARK: - Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = self.unwrapOutboundIn(data) { self.usual -= 1 }
        context.write(data, promise: promise)
    }

    private func writeHead(
        _ status: HTTPResponseStatus,
        _ headers: [(String, String)],
        _ passage: LanePassage,
        _ context: ChannelHandlerContext
    ) {
        passage.status = Int(status.code)
        let headers = HTTPHeaders(house: headers, noted: passage.pass.headers, requestID: passage.request.requestID)
        let head = HTTPResponseHead(version: .http1_1, status: status, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
    }

    private func writeBody(_ bytes: ByteBuffer, _ passage: LanePassage, _ context: ChannelHandlerContext) {
        passage.bytes += bytes.readableBytes
        context.write(self.wrapOutboundOut(.body(.byteBuffer(bytes))), promise: nil)
    }

    private func end(_ passage: LanePassage, _ context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        // The flush may have met the connection's end.
        guard self.current === passage else { return }
        self.leave(passage, isComplete: true)
        self.goOn(context)
    }

    private func leave(_ passage: LanePassage, isComplete: Bool) {
        self.current = nil
        // Before the next one is admitted.
        passage.pass.holding = nil
        self.attendant.record(passage, isComplete: isComplete)
    }

    /// The client is gone: nobody waits for the answer any more.
    private func giveUp() {
        self.held.removeAll()
        guard let current else { return }
        current.call?.cancel()
        self.leave(current, isComplete: false)
    }
}

extension LaneHandler: CallReceiver {
    func received(_ head: HTTPResponseHead) {
        guard let passage = self.current, let context else { return }
        let length = head.headers.first(name: "content-length").flatMap { Int($0) }
        let headers = self.attendant.lane.passed(head.headers)
        passage.isWhole = head.status == .noContent || head.status == .notModified || length.map { $0 <= AccessLog.atOnce } ?? false
        if passage.isWhole {
            passage.head = (head.status, headers)
        } else {
            self.writeHead(head.status, headers, passage, context)
        }
    }

    func received(_ bytes: ByteBuffer) {
        guard let passage = self.current, let context else { return }
        guard passage.isWhole else { return self.writeBody(bytes, passage, context) }
        if passage.whole.readableBytes == 0 { passage.whole = bytes } else { passage.whole.writeImmutableBuffer(bytes) }
    }

    /// What a slow service has sent so far does not wait for the rest.
    func readCompleted() {
        guard let passage = self.current, !passage.isWhole, passage.status != nil else { return }
        self.context?.flush()
    }

    func ended() {
        guard let passage = self.current, let context else { return }
        if let head = passage.head {
            self.writeHead(head.status, head.headers, passage, context)
            if passage.whole.readableBytes > 0 { self.writeBody(passage.whole, passage, context) }
        }
        self.end(passage, context)
    }

    func failed(_ error: ServiceCallError) {
        guard let passage = self.current, let context else { return }
        // The client must not take half an answer for a whole one.
        guard passage.status == nil else { return context.close(promise: nil) }
        let answer = ErrorAnswer(error)
        answer.log(error, to: self.attendant.logger(of: passage.request))
        let body = ByteBuffer(bytes: answer.problem.json(requestID: passage.request.requestID).serialized())
        var headers = answer.problem.headers.map { ($0.name.rawName, $0.value) }
        headers.append(("Content-Length", String(body.readableBytes)))
        self.writeHead(HTTPResponseStatus(statusCode: answer.problem.kind.status), headers, passage, context)
        self.writeBody(body, passage, context)
        self.end(passage, context)
    }
}

extension HTTPHeaders {
    /// An answer's own, and what every answer of the house carries, as ``HTTPFields/addHouse(_:requestID:)`` writes it.
    init(house own: [(String, String)], noted: [(String, String)], requestID: String) {
        var headers = own
        headers.reserveCapacity(own.count + noted.count + 5)
        headers += noted
        headers.append(("X-Request-Id", requestID))
        let has = { (name: String) in own.contains { $0.0.isSameName(as: name) } }
        if !has("x-content-type-options") { headers.append(("X-Content-Type-Options", "nosniff")) }
        if !has("cache-control") { headers.append(("Cache-Control", "no-store")) }
        if !has("date") { headers.append(("Date", HTTPDate.now)) }
        // Not one by one: each would be looked at once more.
        self.init(headers)
    }
}
