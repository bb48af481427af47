import Models
import NIOCore
import NIOHTTP1
import ServiceKit

/// What a door that speaks TLS still takes without it: probes of this host and the signed calls of the house's other processes, which do not cross
/// the networks that TLS is for. Everything else is told to come over TLS, before anything of it is looked at.
final class PlainDoor: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias InboundOut = HTTPServerRequestPart

    private var isRefused = false

    static func takes(_ target: String) -> Bool {
        let path = target.prefix { $0 != "?" }
        return path.hasPrefix("/internal/") || ["/healthz", "/readyz", "/metrics"].contains(path)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isRefused else { return }
        if case .head(let head) = self.unwrapInboundIn(data), !Self.takes(head.uri) {
            self.isRefused = true
            context.writeLast(Problem(.badRequest, "This door speaks TLS: use https."), promise: nil)
            return context.flush()
        }
        context.fireChannelRead(data)
    }
}
