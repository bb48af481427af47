import Logging
import NIOCore
import NIOHTTP1
import NIOPosix

/// The targets of the ledger's subscriptions: each endpoint has an address of its own on the loopback, so that none shares a connection with
/// another, and all write into one book.
final class LedgerReceiver: Sendable {
    private let group: MultiThreadedEventLoopGroup
    private let channels: [any Channel]
    let port: Int

    private init(group: MultiThreadedEventLoopGroup, channels: [any Channel], port: Int) {
        self.group = group
        self.channels = channels
        self.port = port
    }

    static func address(of endpoint: Int) -> String { "127.0.1.\(endpoint + 1)" }

    func url(of endpoint: Int) -> String { "http://\(Self.address(of: endpoint)):\(self.port)/endpoints/\(endpoint)" }

    static func start(endpoints: Int, book: LedgerBook) async throws -> LedgerReceiver {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let port = FreePort.take()
        var channels: [any Channel] = []
        do {
            for endpoint in 0..<endpoints {
                channels.append(try await self.listen(endpoint, port, book, group))
            }
            return LedgerReceiver(group: group, channels: channels, port: port)
        } catch {
            try? await group.shutdownGracefully()
            throw error
        }
    }

    private static func listen(_ endpoint: Int, _ port: Int, _ book: LedgerBook, _ group: MultiThreadedEventLoopGroup) async throws
        -> any Channel
    {
        try await ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([
                        ByteToMessageHandler(HTTPRequestDecoder()), LedgerConversation(endpoint: endpoint, book: book),
                    ])
                }
            }
            .bind(host: self.address(of: endpoint), port: port)
            .get()
    }

    func stop() async {
        for channel in self.channels { try? await channel.close() }
        try? await self.group.shutdownGracefully()
    }
}
