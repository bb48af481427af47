import Models
import NIOCore
import NIOHPACK
import NIOHTTP2
import ServiceKit

/// Stands before one HTTP/2 stream as the house's door stands before an HTTP/1.1 connection: refuses what the one protocol says and the other does not,
/// ends what comes or is taken too slowly, and keeps what belongs to connections of HTTP/1.1 out of answers.
final class StreamDoor: ChannelDuplexHandler, RemovableChannelHandler {
    typealias InboundIn = HTTP2Frame.FramePayload
    typealias InboundOut = HTTP2Frame.FramePayload
    typealias OutboundIn = HTTP2Frame.FramePayload
    typealias OutboundOut = HTTP2Frame.FramePayload

    private struct SlowClient: Error {}

    /// RFC 9113 section 8.2.2.
    private static let connectionHeaders: Set<String> = ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"]
    /// As the HTTP/1.1 decoder takes.
    private static let headerCount = 100

    private let limits: ConnectionLimits
    private let hasPlace: Bool
    /// What comes is thrown away.
    private var isRefused = false
    private var isRequestOpen = false
    private var isReading = false
    private var isLongBody = false
    private var received = 0
    private var begun = NIODeadline.now()
    private var progress = NIODeadline.now()
    private var bodyTimer: Scheduled<Void>?
    /// Pieces of the answer that the client has not made room for.
    private var pending = 0
    private var taken = NIODeadline.now()
    private var answerTimer: Scheduled<Void>?
    private var hasAnswered = false
    /// Closing waits for the last piece of the answer.
    private var close: (mode: CloseMode, promise: EventLoopPromise<Void>?)?

    /// - hasPlace: false where the connection has too many requests under way.
    init(_ limits: ConnectionLimits, hasPlace: Bool) {
        self.limits = limits
        self.hasPlace = hasPlace
    }

    func handlerRemoved(context: ChannelHandlerContext) { self.stop() }

    func channelInactive(context: ChannelHandlerContext) {
        self.stop()
        context.fireChannelInactive()
    }

    private func stop() {
        self.bodyTimer?.cancel()
        self.bodyTimer = nil
        self.answerTimer?.cancel()
        self.answerTimer = nil
    }

    // MARK: - The request

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isRefused else { return }
        switch self.unwrapInboundIn(data) {
        case .headers(let headers):
            guard self.hasPlace else { return self.reset(.refusedStream, context) }
            if self.isRequestOpen {
                // Trailers.
                self.requestEnded()
            } else {
                if let fault = Self.fault(headers.headers) { return self.refuse(fault, context) }
                self.isLongBody = headers.headers.first(name: "content-length").flatMap { Int($0) }.map { $0 > RequestLimits.body } ?? false
                self.begun = .now()
                self.progress = self.begun
                self.isRequestOpen = !headers.endStream
            }
        case .data(let data):
            let count = data.data.readableBytes
            self.received += count
            if count > 0 { self.progress = .now() }
            if data.endStream { self.requestEnded() }
        default: break
        }
        context.fireChannelRead(data)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        self.isReading = false
        context.fireChannelReadComplete()
        self.watchBody(context)
    }

    func read(context: ChannelHandlerContext) {
        self.isReading = true
        context.read()
    }

    private func requestEnded() {
        self.isRequestOpen = false
        self.bodyTimer?.cancel()
        self.bodyTimer = nil
    }

    /// What a request of HTTP/2 may leave open and one of HTTP/1.1 may not: the name of the host, once.
    static func fault(_ headers: HPACKHeaders) -> String? {
        guard headers.count <= Self.headerCount else { return "A request has at most \(Self.headerCount) headers." }
        let authorities = headers[":authority"]
        let hosts = headers["host"]
        guard authorities.count + hosts.count >= 1, authorities.count <= 1, hosts.count <= 1, let host = authorities.first ?? hosts.first,
            !host.isEmpty, RequestFraming.isHost(host), hosts.first.map({ $0 == host }) ?? true
        else { return RequestFraming.hostFault }
        guard headers.first(name: ":method") != "CONNECT" else { return "CONNECT is not served." }
        return nil
    }

    // MARK: - The body's pace

    private var due: NIODeadline? {
        guard self.isRequestOpen, !self.isRefused else { return nil }
        let pause = self.progress + TimeAmount(self.limits.bodyPause)
        guard !self.isLongBody, self.received <= RequestLimits.body else { return pause }
        return min(pause, self.begun + TimeAmount(self.limits.shortBody))
    }

    private func watchBody(_ context: ChannelHandlerContext) {
        guard self.bodyTimer == nil, let due = self.due else { return }
        self.bodyTimer = context.eventLoop.assumeIsolated().scheduleTask(deadline: due) {
            self.bodyTimer = nil
            guard let due = self.due else { return }
            if due <= .now() {
                if self.isReading {
                    ConnectionEnd.slowBody.count()
                    self.isRefused = true
                    // Whoever reads the body learns that it did not arrive.
                    return context.fireErrorCaught(SlowClient())
                }
                // The server had no room for more: the client's time begins anew.
                self.begun = .now()
                self.progress = self.begun
            }
            self.watchBody(context)
        }
    }

    // MARK: - The answer

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        var payload = self.unwrapOutboundIn(data)
        var isEnd = false
        switch payload {
        case .headers(var headers):
            for name in Self.connectionHeaders { headers.headers.remove(name: name) }
            isEnd = headers.endStream
            payload = .headers(headers)
        case .data(let data): isEnd = data.endStream
        default: break
        }
        let written = promise ?? context.eventLoop.makePromise(of: Void.self)
        self.pending += 1
        if self.pending == 1 { self.taken = .now() }
        written.futureResult.assumeIsolated().whenComplete { _ in self.wasTaken(isEnd, context) }
        context.write(self.wrapOutboundOut(payload), promise: written)
        self.watchAnswer(context)
    }

    private func wasTaken(_ isEnd: Bool, _ context: ChannelHandlerContext) {
        self.pending -= 1
        self.taken = .now()
        if isEnd {
            self.hasAnswered = true
            // What the client still wants to send has no reader: it may stop (RFC 9113 section 8.1).
            if self.isRequestOpen, context.channel.isActive { self.reset(.noError, context) }
        }
        guard self.pending == 0 else { return }
        self.answerTimer?.cancel()
        self.answerTimer = nil
        if let close = self.close {
            self.close = nil
            context.close(mode: close.mode, promise: close.promise)
        }
    }

    private func watchAnswer(_ context: ChannelHandlerContext) {
        guard self.answerTimer == nil, self.pending > 0 else { return }
        let limit = TimeAmount(self.limits.stalledAnswer)
        self.answerTimer = context.eventLoop.assumeIsolated().scheduleTask(deadline: self.taken + limit) {
            self.answerTimer = nil
            guard self.pending > 0 else { return }
            guard self.taken + limit <= .now() else { return self.watchAnswer(context) }
            ConnectionEnd.stalledAnswer.count()
            self.close = nil
            context.close(promise: nil)
        }
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        guard self.pending > 0, context.channel.isActive else { return context.close(mode: mode, promise: promise) }
        if let earlier = self.close?.promise, let promise { earlier.futureResult.cascade(to: promise) }
        self.close = (mode, self.close?.promise ?? promise)
    }

    // MARK: - Refusals

    private func reset(_ code: HTTP2ErrorCode, _ context: ChannelHandlerContext) {
        self.isRefused = true
        self.requestEnded()
        context.writeAndFlush(self.wrapOutboundOut(.rstStream(code)), promise: nil)
    }

    private func refuse(_ fault: String, _ context: ChannelHandlerContext) {
        ConnectionEnd.malformed.count()
        self.isRefused = true
        let requestID = RequestIdentifiers.requestID(given: nil)
        let body = context.channel.allocator.buffer(bytes: Problem(.badRequest, fault).json(requestID: requestID).serialized())
        let headers: HPACKHeaders = [
            ":status": "400", "content-type": Problem.mediaType, "content-length": String(body.readableBytes), "cache-control": "no-store",
            "x-content-type-options": "nosniff", "x-request-id": requestID,
        ]
        context.write(self.wrapOutboundOut(.headers(.init(headers: headers))), promise: nil)
        let sent = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(self.wrapOutboundOut(.data(.init(data: .byteBuffer(body), endStream: true))), promise: sent)
        sent.futureResult.assumeIsolated().whenComplete { _ in context.close(promise: nil) }
    }
}
