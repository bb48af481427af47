import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// AsyncHTTPClient with its default of 8 connections a host, and with as many as there may be callers: whichever is better is the rival.
struct HTTPPeer: Sendable {
    private let narrow: HTTPClient
    private let wide: HTTPClient

    init() {
        self.narrow = HTTPClient(eventLoopGroupProvider: .singleton)
        var configuration = HTTPClient.Configuration()
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 512
        self.wide = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    }

    func measure(_ url: String, callers: Int, isWide: Bool) async throws -> Double {
        let client = isWide ? self.wide : self.narrow
        return try await Throughput.concurrent(callers: callers) { _ in
            let response = try await client.execute(HTTPClientRequest(url: url), timeout: .seconds(30))
            guard response.status == .ok else { throw Tool.Failure(description: "nginx answered \(response.status)") }
            _ = try await response.body.collect(upTo: 1024)
        }
    }

    func shutdown() async throws {
        try await self.narrow.shutdown()
        try await self.wide.shutdown()
    }
}
