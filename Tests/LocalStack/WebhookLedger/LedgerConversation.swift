import NIOCore
import NIOHTTP1

/// One connection to an endpoint: takes deliveries one after the other, and answers as its plan says. Answers are written as bytes, because
/// some of them are to end in the middle.
final class LedgerConversation: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private static let moment = TimeAmount.milliseconds(30)
    /// Longer than any sender waits.
    private static let hang = TimeAmount.seconds(60)

    private let endpoint: Int
    private let book: LedgerBook
    private var id = ""
    private var body: [UInt8] = []

    init(endpoint: Int, book: LedgerBook) {
        self.endpoint = endpoint
        self.book = book
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch self.unwrapInboundIn(data) {
        case .head(let head):
            self.id = head.headers.first(name: "webhook-id") ?? ""
            self.body.removeAll(keepingCapacity: true)
        case .body(let bytes): self.body.append(contentsOf: bytes.readableBytesView)
        case .end: self.take(context)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func take(_ context: ChannelHandlerContext) {
        guard let (number, conduct) = self.book.receive(self.endpoint, id: self.id, body: self.body) else {
            return self.write("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n", context)
        }
        switch conduct {
        case .accept: self.accept(number, context)
        case .acceptLate: self.later(Self.moment, context) { $0.accept(number, $1) }
        case .cutBody: self.accept(number, context, isCut: true)
        case .fail: self.write("HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n", context)
        case .refuse: self.write("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", context)
        case .slowDown: self.write("HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n", context)
        case .hang: self.later(Self.hang, context) { $1.close(promise: nil) }
        case .cut: context.close(promise: nil)
        case .cutHead: self.write("HTTP/1.1 20", context, closes: true)
        }
    }

    private func accept(_ number: Int, _ context: ChannelHandlerContext, isCut: Bool = false) {
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 5\r\n\r\n"
        let book = self.book
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.whenSuccess { book.answered(number) }
        self.write(head + (isCut ? "tak" : "taken"), context, closes: isCut, promise: written)
    }

    private func write(_ text: String, _ context: ChannelHandlerContext, closes: Bool = false, promise: EventLoopPromise<Void>? = nil) {
        context.writeAndFlush(self.wrapOutboundOut(ByteBuffer(string: text)), promise: promise)
        // Nothing is left in the channel: a few bytes to a reader that waits for them go out at once.
        if closes { context.close(promise: nil) }
    }

    private func later(
        _ time: TimeAmount,
        _ context: ChannelHandlerContext,
        _ body: @escaping (LedgerConversation, ChannelHandlerContext) -> Void
    ) {
        context.eventLoop.assumeIsolated().scheduleTask(in: time) {
            guard context.channel.isActive else { return }
            body(self, context)
        }
    }
}
