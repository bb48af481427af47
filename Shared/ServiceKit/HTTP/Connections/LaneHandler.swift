import Models
import NIOCore
import NIOHTTP1
import Transport

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
    }

    /// The handler as other threads know it.
    private struct Place {
        let handler: LaneHandler
        let context: ChannelHandlerContext
    }

    private typealias Bound = NIOLoopBound<Place>

    private let attendant: LaneAttendant
    private let socket: String?
    private var current: LanePassage?
    private var last: UInt64 = 0
    /// The end of the request in the lane has not come yet; it comes with its head.
    private var isEndAwaited = false
    /// Requests that went the usual way and have no whole answer yet.
    private var usual = 0
    private var held = CircularBuffer<Held>()
    private var isReadHeld = false
    private var bound: Bound?

    init(_ attendant: LaneAttendant, _ channel: any Channel) {
        self.attendant = attendant
        self.socket = channel.remoteAddress?.ipAddress
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.bound = NIOLoopBound(Place(handler: self, context: context), eventLoop: context.eventLoop)
    }

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
        guard let bound, let request = self.attendant.request(head, from: self.socket), let pass = self.attendant.lane.admit(request) else {
            return false
        }
        self.last += 1
        let number = self.last
        self.isEndAwaited = true
        let passage = LanePassage(number: number, request: request, pass: pass, start: start)
        self.current = passage
        // It may be told before `begin` comes back.
        passage.call = pass.begin { result in
            bound.eventLoop.execute { bound.value.handler.answered(number, result, bound.value.context) }
        }
        return true
    }

    /// Reading goes on until something comes that has to wait: most clients wait themselves.
    func read(context: ChannelHandlerContext) {
        if self.held.isEmpty { context.read() } else { self.isReadHeld = true }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if self.current == nil { context.fireUserInboundEventTriggered(event) } else { self.held.append(.event(event)) }
    }

    /// What waited behind a request that is answered now.
    private func goOn(_ context: ChannelHandlerContext) {
        guard !self.held.isEmpty else { return }
        while self.current == nil, !self.held.isEmpty {
            switch self.held.removeFirst() {
            case .part(let data): self.receive(data, context)
            case .event(let event): context.fireUserInboundEventTriggered(event)
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

    private func answered(_ number: UInt64, _ result: Result<LaneAnswer, any Error>, _ context: ChannelHandlerContext) {
        guard let current, current.number == number else { return }
        switch result {
        case .success(let answer): self.answer(with: answer, current, context)
        case .failure(let error): self.answer(with: error, current, context)
        }
    }

    private func answer(with answer: LaneAnswer, _ passage: LanePassage, _ context: ChannelHandlerContext) {
        var headers = answer.headers
        guard let whole = answer.body.takeWhole() else {
            self.writeHead(answer.status, &headers, passage, context)
            context.flush()
            if let bound { passage.stream = Self.stream(answer.body, of: passage.number, bound) }
            return
        }
        if answer.status != 204, answer.status != 304, !headers.contains(name: "content-length") {
            headers.add(name: "Content-Length", value: String(whole.count))
        }
        self.writeHead(answer.status, &headers, passage, context)
        if !whole.isEmpty { self.writeBody(whole, nil, passage, context) }
        self.end(passage, context)
    }

    private func answer(with error: any Error, _ passage: LanePassage, _ context: ChannelHandlerContext) {
        let answer = ErrorAnswer(error)
        answer.log(error, to: self.attendant.logger(of: passage.request))
        let body = answer.problem.json(requestID: passage.request.requestID).serialized()
        var headers = HTTPHeaders(answer.problem.headers)
        headers.add(name: "Content-Length", value: String(body.count))
        self.writeHead(answer.problem.kind.status, &headers, passage, context)
        self.writeBody(body, nil, passage, context)
        self.end(passage, context)
    }

    private func writeHead(_ status: Int, _ headers: inout HTTPHeaders, _ passage: LanePassage, _ context: ChannelHandlerContext) {
        headers.addHouse(passage.pass.headers, requestID: passage.request.requestID)
        passage.status = status
        let head = HTTPResponseHead(version: .http1_1, status: HTTPResponseStatus(statusCode: status), headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
    }

    private func writeBody(_ bytes: [UInt8], _ promise: EventLoopPromise<Void>?, _ passage: LanePassage, _ context: ChannelHandlerContext) {
        passage.bytes += bytes.count
        context.write(self.wrapOutboundOut(.body(.byteBuffer(context.channel.allocator.buffer(bytes: bytes)))), promise: promise)
    }

    private func end(_ passage: LanePassage, _ context: ChannelHandlerContext) {
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
        self.leave(passage, isComplete: true)
        self.goOn(context)
    }

    private func leave(_ passage: LanePassage, isComplete: Bool) {
        self.current = nil
        self.attendant.record(passage, isComplete: isComplete)
    }

    /// The client is gone: nobody waits for the answer any more.
    private func giveUp() {
        self.held.removeAll()
        guard let current else { return }
        current.cancel()
        self.leave(current, isComplete: false)
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
                try await bound.eventLoop.flatSubmit { Self.pass(chunk, of: number, bound.value) }.get()
            }
            isWhole = true
        } catch {
            // Told by the access log: what was sent is not all.
        }
        let isComplete = isWhole
        bound.eventLoop.execute {
            let place = bound.value
            guard let passage = place.handler.current, passage.number == number else { return }
            // The client must not take half an answer for a whole one.
            if isComplete { place.handler.end(passage, place.context) } else { place.context.close(promise: nil) }
        }
    }

    private static func pass(_ chunk: [UInt8], of number: UInt64, _ place: Place) -> EventLoopFuture<Void> {
        let written = place.context.eventLoop.makePromise(of: Void.self)
        if let passage = place.handler.current, passage.number == number {
            place.handler.writeBody(chunk, written, passage, place.context)
            place.context.flush()
        } else {
            written.fail(ChannelError.ioOnClosedChannel)
        }
        return written.futureResult
    }
}

extension HTTPHeaders {
    /// What every answer of the house carries, as ``HTTPFields/addHouse(_:requestID:)`` writes it.
    mutating func addHouse(_ noted: [(String, String)], requestID: String) {
        self.add(contentsOf: noted)
        self.add(name: "X-Request-Id", value: requestID)
        if !self.contains(name: "x-content-type-options") { self.add(name: "X-Content-Type-Options", value: "nosniff") }
        if !self.contains(name: "cache-control") { self.add(name: "Cache-Control", value: "no-store") }
    }
}
