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
        case error(any Error)
    }

    /// The handler as other threads know it.
    private struct Place {
        let handler: LaneHandler
        let context: ChannelHandlerContext

        func collected(_ whole: Result<[UInt8], any Error>, _ answer: LaneAnswer, of number: UInt64) {
            guard let passage = self.handler.current, passage.number == number else { return }
            switch whole {
            case .success(let bytes): self.handler.answer(with: answer, bytes, passage, self.context)
            case .failure(let error): self.handler.answer(with: error, passage, self.context)
            }
        }
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
        let isNext = self.held.isEmpty && self.current == nil
        if isNext { context.fireUserInboundEventTriggered(event) } else { self.held.append(.event(event)) }
    }

    /// What cannot be read ends the request that it belongs to, not the one before.
    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        let isNext = self.held.isEmpty && self.current == nil
        if isNext { context.fireErrorCaught(error) } else { self.held.append(.error(error)) }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if context.channel.isWritable { self.goOn(context) }
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

    private func answered(_ number: UInt64, _ result: Result<LaneAnswer, any Error>, _ context: ChannelHandlerContext) {
        guard let current, current.number == number else { return }
        switch result {
        case .success(let answer): self.answer(with: answer, current, context)
        case .failure(let error): self.answer(with: error, current, context)
        }
    }

    private func answer(with answer: LaneAnswer, _ passage: LanePassage, _ context: ChannelHandlerContext) {
        if let whole = answer.body.takeWhole() { return self.answer(with: answer, whole, passage, context) }
        guard let bound else { return }
        // A short body is waited for: a fault in it is still a problem of its own.
        if let length = answer.headers.first(name: "content-length").flatMap({ Int($0) }), length <= AccessLog.atOnce {
            passage.stream = Self.collect(answer, length, of: passage.number, bound)
        } else {
            var headers = answer.headers
            self.writeHead(answer.status, &headers, passage, context)
            context.flush()
            passage.stream = Self.stream(answer.body, of: passage.number, bound)
        }
    }

    private func answer(with answer: LaneAnswer, _ whole: [UInt8], _ passage: LanePassage, _ context: ChannelHandlerContext) {
        var headers = answer.headers
        if answer.status != 204, answer.status != 304 { headers.replaceOrAdd(name: "Content-Length", value: String(whole.count)) }
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
        // The flush may have met the connection's end.
        guard self.current === passage else { return }
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

    // MARK: - Answers that come in pieces

    private static func collect(_ answer: LaneAnswer, _ length: Int, of number: UInt64, _ bound: Bound) -> Task<Void, Never> {
        Task {
            let whole: Result<[UInt8], any Error>
            do {
                whole = .success(try await answer.body.collect(upTo: length))
            } catch {
                whole = .failure(error)
            }
            bound.eventLoop.execute { bound.value.collected(whole, answer, of: number) }
        }
    }

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

    /// Comes back when more may be written. What the client does not take piles up to the channel's mark: ``ClientPace`` sees that, not a single
    /// chunk.
    private static func pass(_ chunk: [UInt8], of number: UInt64, _ place: Place) -> EventLoopFuture<Void> {
        let eventLoop = place.context.eventLoop
        guard let passage = place.handler.current, passage.number == number else {
            return eventLoop.makeFailedFuture(ChannelError.ioOnClosedChannel)
        }
        let written = eventLoop.makePromise(of: Void.self)
        place.handler.writeBody(chunk, written, passage, place.context)
        place.context.flush()
        return place.context.channel.isWritable ? eventLoop.makeSucceededVoidFuture() : written.futureResult
    }
}

extension HTTPHeaders {
    /// What every answer of the house carries, as ``HTTPFields/addHouse(_:requestID:)`` writes it.
    mutating func addHouse(_ noted: [(String, String)], requestID: String) {
        self.add(contentsOf: noted)
        self.add(name: "X-Request-Id", value: requestID)
        if !self.contains(name: "x-content-type-options") { self.add(name: "X-Content-Type-Options", value: "nosniff") }
        if !self.contains(name: "cache-control") { self.add(name: "Cache-Control", value: "no-store") }
        if !self.contains(name: "date") { self.add(name: "Date", value: HTTPDate.now) }
    }
}
