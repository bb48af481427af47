import Models
import NIOCore
import NIOHTTP1
import ServiceKit

/// What a door that speaks TLS still takes without it: probes of this host and the signed calls of the house's other processes, which do not cross
/// the networks that TLS is for. Everything else is told to come over TLS, before anything of it is looked at.
final class PlainDoor: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private var isRefused = false

    static func takes(_ target: String) -> Bool {
        let path = target.prefix { $0 != "?" }
        return path.hasPrefix("/internal/") || ["/healthz", "/readyz", "/metrics"].contains(path)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isRefused else { return }
        if case .head(let head) = self.unwrapInboundIn(data), !Self.takes(head.uri) {
            self.isRefused = true
            return self.refuse(context)
        }
        context.fireChannelRead(data)
    }

    private func refuse(_ context: ChannelHandlerContext) {
        let requestID = RequestIdentifiers.requestID(given: nil)
        let problem = Problem(.badRequest, "This door speaks TLS: use https.")
        let body = context.channel.allocator.buffer(bytes: problem.json(requestID: requestID).serialized())
        let headers: HTTPHeaders = [
            "Content-Type": Problem.mediaType, "Content-Length": String(body.readableBytes), "Connection": "close",
            "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Request-Id": requestID,
        ]
        let head = HTTPResponseHead(version: .http1_1, status: .badRequest, headers: headers)
        context.write(self.wrapOutboundOut(.head(head)), promise: nil)
        context.write(self.wrapOutboundOut(.body(.byteBuffer(body))), promise: nil)
        context.writeAndFlush(self.wrapOutboundOut(.end(nil)), promise: nil)
    }
}
