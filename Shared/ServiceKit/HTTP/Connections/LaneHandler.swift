import HTTPTypes
import Models
import NIOCore
import NIOHTTPTypes
import Transport

/// Takes the requests that the fast lane admits out of the connection's usual way and answers them. One request at a time: what a client sends
/// behind one that is under way waits, unread as far as possible.
final class LaneHandler: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPRequestPart
    typealias InboundOut = HTTPRequestPart
    typealias OutboundIn = HTTPResponsePart
    typealias OutboundOut = HTTPResponsePart

    private enum Held {
        case part(NIOAny)
        case event(Any)
    }

    /// A request in the lane.
    private struct Current {
        var passage: LanePassage
        var call: ServiceCall?
        var stream: Task<Void, Never>?
        /// Of the answer, once its head is written.
        var status: Int?
        var bytes = 0
    }

    /// The handler as other threads know it.
    private struct Place {
        let handler: LaneHandler
        let context: ChannelHandlerContext
    }

    private typealias Bound = NIOLoopBound<Place>

    private let attendant: LaneAttendant
    private let socket: String?
    private var current: Current?
    private var last: UInt64 = 0
    /// The end of the request in the lane has not come yet; it comes with its head.
    private var isEndAwaited = false
    /// Requests that went the usual way and have no whole answer yet.
    private var usual = 0
    private var held: [Held] = []
    private var isReadHeld = false
    private var bound: Bound?

    init(_ attendant: LaneAttendant, _ channel: any Channel) {
        self.attendant = attendant
        self.socket = channel.remoteAddress?.ipAddress
    }

    func handlerAdded(context: ChannelHandlerContext) { self.bound = NIOLoopBound(Place(handler: self, context: context), eventLoop: context.eventLoop) }

    func handlerRemoved(context: ChannelHandlerContext) {
        self.giveUp()
        self.bound = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.giveUp()
        context.fireChannelInactive()
    }

    // MARK: - Requests

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let isItsEnd = self.isEndAwaited && self.held.isEmpty
        if self.current == nil || isItsEnd { self.receive(data, context) } else { self.held.append(.part(data)) }
    }

    private func receive(_ data: NIOAny, _ context: ChannelHandlerContext) {
        if self.isEndAwaited, case .end = self.unwrapInboundIn(data) {
            self.isEndAwaited = false
        } else {
            self.take(data, context)
        }
    }

    private func take(_ data: NIOAny, _ context: ChannelHandlerContext) {
        if case .head(let head) = self.unwrapInboundIn(data) {
            if self.usual == 0, self.enter(head, context) { return }
            self.usual += 1
        }
        context.fireChannelRead(data)
    }

    private func enter(_ head: HTTPRequest, _ context: ChannelHandlerContext) -> Bool {
        let start = ContinuousClock.now
        guard let bound, let request = self.attendant.request(head, from: self.socket), let pass = self.attendant.lane.admit(request) else {
            return false
        }
        self.last += 1
        let number = self.last
        self.isEndAwaited = true
        self.current = Current(passage: LanePassage(number: number, request: request, pass: pass, start: start))
        let eventLoop = context.eventLoop
        // It may be told before `begin` comes back.
        let call = pass.begin { result in
            eventLoop.execute {
                let place = bound.value
                place.handler.answered(number, result, place.context)
            }
        }
        self.current?.call = call
        return true
    }

    func read(context: ChannelHandlerContext) {
        if self.current == nil { context.read() } else { self.isReadHeld = true }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if self.current == nil { context.fireUserInboundEventTriggered(event) } else { self.held.append(.event(event)) }
    }

    /// What waited behind a request that is answered now.
    private func goOn(_ context: ChannelHandlerContext) {
        while self.current == nil, !self.held.isEmpty {
            switch self.held.removeFirst() {
            case .part(let data): self.receive(data, context)
            case .event(let event): context.fireUserInboundEventTriggered(event)
            }
        }
        guard self.current == nil, self.isReadHeld else { return }
        self.isReadHeld = false
        context.read()
    }

    // MARK: - Answers

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        if case .end = self.unwrapOutboundIn(data) { self.usual -= 1 }
        context.write(data, promise: promise)
    }

    private func answered(_ number: UInt64, _ result: Result<LaneAnswer, any Error>, _ context: ChannelHandlerContext) {
        guard let current, current.passage.number == number else { return }
        switch result {
        case .success(let answer): self.answer(with: answer, current.passage, context)
        case .failure(let error): self.answer(with: error, current.passage, context)
        }
    }

    private func answer(with answer: LaneAnswer, _ passage: LanePassage, _ context: ChannelHandlerContext) {
        var fields = answer.headers
        guard let whole = answer.body.takeWhole() else {
            self.writeHead(answer.status, &fields, passage, context)
            context.flush()
            if let bound { self.current?.stream = Self.stream(answer.body, of: passage.number, bound) }
            return
        }
        if answer.status != .noContent, answer.status != .notModified, !fields.contains(.contentLength) {
            fields[.contentLength] = String(whole.count)
        }
        self.writeHead(answer.status, &fields, passage, context)
        if !whole.isEmpty { self.writeBody(context.channel.allocator.buffer(bytes: whole), nil, context) }
        self.end(context)
    }

    private func answer(with error: any Error, _ passage: LanePassage, _ context: ChannelHandlerContext) {
        let answer = ErrorAnswer(error)
        answer.log(error, to: self.attendant.logger(of: passage.request))
        let body = answer.problem.json(requestID: passage.request.requestID).serialized()
        var fields = answer.problem.headers
        fields[.contentLength] = String(body.count)
        self.writeHead(HTTPResponse.Status(code: answer.problem.kind.status), &fields, passage, context)
        self.writeBody(context.channel.allocator.buffer(bytes: body), nil, context)
        self.end(context)
    }

    private func writeHead(
        _ status: HTTPResponse.Status,
        _ fields: inout HTTPFields,
        _ passage: LanePassage,
        _ context: ChannelHandlerContext
    ) {
        fields.addHouse(passage.pass.headers, requestID: passage.request.requestID)
        self.current?.status = status.code
        context.write(self.wrapOutboundOut(.head(HTTPResponse(status: status, headerFields: fields))), promise: nil)
    }

    private func writeBody(_ bytes: ByteBuffer, _ promise: EventLoopPromise<Void>?, _ context: ChannelHandlerContext) {
        self.current?.bytes += bytes.readableBytes
        context.write(self.wrapOutboundOut(.body(bytes)), promise: promise)
    }

    private func end(_ context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        self.leave(isComplete: true)
        self.goOn(context)
    }

    private func leave(isComplete: Bool) {
        guard let current else { return }
        self.current = nil
        self.attendant.record(current.passage, status: current.status ?? 499, bytes: current.bytes, isComplete: isComplete)
    }

    /// The client is gone: nobody waits for the answer any more.
    private func giveUp() {
        self.held = []
        guard let current else { return }
        current.call?.cancel()
        current.stream?.cancel()
        self.leave(isComplete: false)
    }

    // MARK: - Long answers

    /// Hands the body on chunk by chunk, as fast as the client takes it.
    private static func stream(_ body: ResponseBodyStream, of number: UInt64, _ bound: Bound) -> Task<Void, Never> {
        Task { await self.pump(body, of: number, bound) }
    }

    private static func pump(_ body: ResponseBodyStream, of number: UInt64, _ bound: Bound) async {
        var isWhole = false
        do {
            for try await chunk in body {
                try await bound.eventLoop.flatSubmit { Self.pass(chunk, of: number, bound) }.get()
            }
            isWhole = true
        } catch {
            // Told by the access log: what was sent is not all.
        }
        let isComplete = isWhole
        bound.eventLoop.execute {
            let place = bound.value
            guard place.handler.current?.passage.number == number else { return }
            // The client must not take half an answer for a whole one.
            if isComplete { place.handler.end(place.context) } else { place.context.close(promise: nil) }
        }
    }

    private static func pass(_ chunk: [UInt8], of number: UInt64, _ bound: Bound) -> EventLoopFuture<Void> {
        let (handler, context) = (bound.value.handler, bound.value.context)
        let written = context.eventLoop.makePromise(of: Void.self)
        if handler.current?.passage.number == number {
            handler.writeBody(context.channel.allocator.buffer(bytes: chunk), written, context)
            context.flush()
        } else {
            written.fail(ChannelError.ioOnClosedChannel)
        }
        return written.futureResult
    }
}
